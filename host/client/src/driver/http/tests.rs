//! Real connections to servers on this machine, which answer with given bytes.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use ack_ram_core::secret::Secret;

use super::*;
use crate::plan::HttpUrl;

const LONG: Duration = Duration::from_secs(600);
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A server for one connection.
struct Server {
    port: u16,
    thread: JoinHandle<String>,
}

impl Server {
    /// Starts a server that reads a request, and leaves the rest to `answer`. The thread returns the request.
    fn start(answer: impl FnOnce(TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let request = read_request(&mut stream);
            answer(stream);
            request
        });
        Self { port, thread }
    }

    fn with_answer(answer: impl AsRef<[u8]> + Send + 'static) -> Self {
        Self::start(move |mut stream| {
            // The client may have gone away.
            let _ = stream.write_all(answer.as_ref());
        })
    }

    fn request(self) -> String {
        self.thread.join().unwrap()
    }
}

/// Reads a head, and a body of the length that the head says. A client whose time is over may send less.
fn read_request(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        text.extend(byte);
    }
    let head = String::from_utf8(text).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

fn request(method: Method, base: &str, body: &str) -> HttpRequest {
    HttpRequest {
        call: Call::Url,
        method,
        base: HttpUrl::parse(base).unwrap(),
        path_and_query: Secret::new("/p%2F?q=CANARY"),
        headers: vec![("authorization", Secret::new("Bearer CANARY"))],
        body: Secret::new(body),
        limits: CallLimits::INTERNET,
    }
}

fn send(
    request: HttpRequest,
    limits: Limits,
    proxies: &ProxySettings,
) -> (HttpReply, Option<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let trust = StsTrust::none();
    let (reply, route) = runtime.block_on(call(request, limits, &trust, proxies, Audience::Client));
    assert!(
        !format!("{reply:?} {:?}", route.proxy).contains("CANARY"),
        "{reply:?}"
    );
    (reply, route.proxy)
}

fn get(port: u16) -> HttpReply {
    let request = request(Method::Get, &format!("http://127.0.0.1:{port}"), "");
    let limits = Limits::new(request.limits, LONG);
    send(request, limits, &ProxySettings::default()).0
}

fn failure(reply: HttpReply) -> CallFailure {
    match reply {
        HttpReply::Failed(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn request_is_sent_as_given_with_host_length_and_user_agent() {
    let agent = format!("user-agent: {USER_AGENT}\r\n");
    for (method, headers, body, expected) in [
        (Method::Get, vec![], "", ""),
        (Method::Put, vec![("x-a", "b")], "", "content-length: 0\r\n"),
        (Method::Post, vec![], "", "content-length: 0\r\n"),
        (Method::Post, vec![], "a=b", "content-length: 3\r\n"),
        (
            Method::Post,
            vec![("host", "STS.example:443")],
            "",
            "content-length: 0\r\n",
        ),
    ] {
        let server = Server::with_answer(OK);
        let base = format!("http://127.0.0.1:{}", server.port);
        let mut request = request(method, &base, body);
        request.headers = headers
            .iter()
            .map(|(name, value)| (*name, Secret::new(*value)))
            .collect();
        let limits = Limits::new(request.limits, LONG);
        let (reply, _) = send(request, limits, &ProxySettings::default());
        assert!(
            matches!(reply, HttpReply::Response(response) if response.status == 200 && **response.body == *b"ok")
        );
        let host = match headers.iter().any(|(name, _)| *name == "host") {
            true => String::new(),
            false => format!("host: 127.0.0.1:{}\r\n", server.port),
        };
        let headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let line = format!("{} /p%2F?q=CANARY HTTP/1.1\r\n", method.name());
        assert_eq!(
            server.request(),
            format!("{line}{agent}{host}{expected}{headers}\r\n{body}")
        );
    }
}

#[test]
fn redirect_is_returned_and_not_followed() {
    let target = TcpListener::bind("127.0.0.1:0").unwrap();
    let location = target.local_addr().unwrap();
    for status in [301, 302, 303, 307, 308] {
        let server = Server::with_answer(format!(
            "HTTP/1.1 {status} Moved\r\nlocation: http://{location}/\r\ncontent-length: 0\r\n\r\n"
        ));
        let reply = get(server.port);
        assert!(matches!(reply, HttpReply::Response(response) if response.status == status));
    }
    target.set_nonblocking(true).unwrap();
    assert_eq!(
        target.accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock
    );
}

#[test]
fn body_is_bounded() {
    for (bytes, is_complete) in [
        (0, true),
        (MAX_REPLY_BYTES, true),
        (MAX_REPLY_BYTES + 1, false),
        (10 * 1024 * 1024, false),
    ] {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n");
        let server = Server::with_answer([head.into_bytes(), vec![b'x'; bytes]].concat());
        match get(server.port) {
            HttpReply::Response(response) => {
                assert!(is_complete);
                assert_eq!(response.body.len(), bytes);
            }
            HttpReply::TooLarge => assert!(!is_complete, "{bytes}"),
            other => panic!("{other:?}"),
        }
    }
    let endless = Server::start(|mut stream| {
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head).unwrap();
        // The write fails once the client has closed the connection.
        while stream.write_all(b"4\r\nxxxx\r\n").is_ok() {}
    });
    assert!(matches!(get(endless.port), HttpReply::TooLarge));
    endless.request();
}

#[test]
fn broken_response_is_a_failure() {
    for answer in [
        "",
        "CANARY\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nCANARY",
        "HTTP/1.1 200 OK\r\ncontent-length: CANARY\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nCANARY\r\n",
        "HTTP/1.1 200 OK\r\nname",
        "SSH-2.0-CANARY\r\n",
    ] {
        let server = Server::with_answer(answer);
        let failure = failure(get(server.port));
        assert!(
            !failure.text.is_empty() && !failure.is_timeout,
            "{failure:?}"
        );
    }
}

#[test]
fn date_of_the_response_is_read() {
    for (header, expected) in [
        (
            "date: Fri, 02 Jan 2026 03:04:05 GMT\r\n",
            Some("2026-01-02T03:04:05Z"),
        ),
        (
            "Date: Fri, 02 Jan 2026 03:04:05 +0100\r\n",
            Some("2026-01-02T02:04:05Z"),
        ),
        ("date: yesterday\r\n", None),
        ("date: \u{e9}\r\n", None),
        ("", None),
    ] {
        let server = Server::with_answer(format!(
            "HTTP/1.1 404 No\r\n{header}content-length: 0\r\n\r\n"
        ));
        let HttpReply::Response(response) = get(server.port) else {
            panic!("there is no response to {header}");
        };
        assert_eq!(
            response.date.map(|date| date.to_string()).as_deref(),
            expected
        );
        assert_eq!(response.status, 404);
    }
}

/// Checks that a call to `server` ends with one of these time limits.
#[track_caller]
fn assert_times_out(server: Server, answer: Option<Duration>, total: Duration) {
    let port = server.port;
    let request = request(Method::Get, &format!("http://127.0.0.1:{port}"), "");
    let limits = Limits {
        connect: LONG,
        answer,
        total,
    };
    let (reply, _) = send(request, limits, &ProxySettings::default());
    assert_eq!(
        failure(reply),
        CallFailure::timeout("the time limit passed")
    );
    // On a slow machine, the client may not have connected.
    let _ = TcpStream::connect(("127.0.0.1", port));
    server.request();
}

#[test]
fn server_that_does_not_answer_times_out() {
    let short = Duration::from_millis(50);
    for (answer, total) in [(Some(short), LONG), (None, short)] {
        for start in [
            "",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx",
        ] {
            let server = Server::start(move |mut stream| {
                let _ = stream.write_all(start.as_bytes());
                // The client closes the connection at the end of its time.
                let _ = stream.read_to_end(&mut Vec::new());
            });
            assert_times_out(server, answer, total);
        }
    }
}

#[test]
fn informational_responses_are_ignored() {
    let informational =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: CANARY\r\n\r\n";
    let server = Server::with_answer([informational.as_bytes(), OK].concat());
    let reply = get(server.port);
    assert!(
        matches!(&reply, HttpReply::Response(response) if response.status == 200),
        "{reply:?}"
    );
}

#[test]
fn endless_informational_responses_time_out() {
    // Each write is as large as the buffers, so that the client always finds more responses.
    let responses = "HTTP/1.1 100 Continue\r\n\r\n".repeat(40_000);
    let short = Duration::from_millis(50);
    for (answer, total) in [(Some(short), LONG), (None, short)] {
        let responses = responses.clone();
        let server = Server::start(move |mut stream| {
            // The write fails once the client has closed the connection.
            while stream.write_all(responses.as_bytes()).is_ok() {}
        });
        assert_times_out(server, answer, total);
    }
}

#[test]
fn endless_head_is_a_failure() {
    let server = Server::start(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n");
        let header = format!("name: {}\r\n", "CANARY".repeat(10));
        while stream.write_all(header.as_bytes()).is_ok() {}
    });
    let failure = failure(get(server.port));
    assert!(!failure.is_timeout, "{failure:?}");
    server.request();
}

#[test]
fn address_without_a_server_is_a_failure() {
    // A socket that does not listen keeps the port, so that no other program gets it.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let failure = failure(get(socket.local_addr().unwrap().port()));
    assert!(failure.text.contains("Connection refused"), "{failure:?}");
    assert!(!failure.is_timeout);
}

#[test]
fn failure_of_the_connection_has_its_advice_apart_from_its_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let request = request(Method::Get, &base, "");
    let limits = Limits::new(request.limits, LONG);
    let reply = send(request, limits, &ProxySettings::default()).0;
    server.join().unwrap();
    let mut findings = Findings::default();
    let now = UnixTime::from_seconds(0);
    note(
        Call::Url,
        &base,
        None,
        Duration::ZERO,
        &reply,
        now,
        &mut findings,
    );
    let failure = failure(reply);
    let advice = failure.advice.unwrap();
    assert!(advice.ends_with("does not use TLS"), "{advice}");
    assert!(
        !failure.text.contains("does not use TLS"),
        "{}",
        failure.text
    );
    // The log of calls has no remedies, so it has both.
    let texts = format!("{findings:?}");
    assert!(
        texts.contains(&format!("{}; {advice}", failure.text)),
        "{texts}"
    );
}

#[test]
fn unencrypted_request_goes_through_the_proxy_with_the_whole_url() {
    let server = Server::with_answer(OK);
    let url = format!("http://me:CANARY@127.0.0.1:{}", server.port);
    let variables = |name: &str| (name == "HTTP_PROXY").then(|| url.clone());
    let proxies = ProxySettings::from_environment(&variables);
    let request = request(Method::Get, "http://keys.example:81", "");
    let limits = Limits::new(request.limits, LONG);
    let (reply, proxy) = send(request, limits, &proxies);
    assert!(matches!(reply, HttpReply::Response(_)), "{reply:?}");
    assert_eq!(proxy, Some(format!("127.0.0.1:{}", server.port)));
    assert_eq!(
        server.request(),
        format!(
            "GET http://keys.example:81/p%2F?q=CANARY HTTP/1.1\r\nuser-agent: {USER_AGENT}\r\nhost: keys.example:81\r\nauthorization: Bearer CANARY\r\nproxy-authorization: Basic bWU6Q0FOQVJZ\r\n\r\n"
        )
    );
}

#[test]
fn request_that_cannot_be_sent_is_a_failure_without_the_value() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", server.local_addr().unwrap());
    for (path, value) in [("/CANARY", "CANARY\nCANARY"), ("/CAN ARY CANARY", "a")] {
        let mut request = request(Method::Get, &base, "");
        request.path_and_query = Secret::new(path);
        request.headers = vec![("authorization", Secret::new(value))];
        let limits = Limits::new(request.limits, LONG);
        let failure = failure(send(request, limits, &ProxySettings::default()).0);
        assert!(
            failure.text.starts_with("the request cannot be sent: "),
            "{failure:?}"
        );
    }
}

#[test]
fn findings_name_call_host_and_clock_difference() {
    let at = |seconds: i64| UnixTime::from_seconds(1_767_323_045 + seconds);
    let response = |date| {
        HttpReply::Response(HttpResponse {
            status: 403,
            date,
            body: b"CANARY".to_vec().into(),
        })
    };
    let call = "AssumeRole at https://h: HTTP status 403 after 7 ms";
    for (reply, proxy, expected) in [
        (response(None), None, vec![call]),
        (response(Some(at(60))), None, vec![call]),
        (
            response(Some(at(-61))),
            None,
            vec![
                call,
                "the clock of this machine is 61 s ahead of the clock of https://h",
            ],
        ),
        (
            response(Some(at(86400))),
            None,
            vec![
                call,
                "the clock of this machine is 86400 s behind the clock of https://h",
            ],
        ),
        (
            response(Some(UnixTime::from_seconds(i64::MIN))),
            None,
            vec![
                call,
                "the clock of this machine is 9223372036854775807 s ahead of the clock of https://h",
            ],
        ),
        (
            HttpReply::TooLarge,
            Some("p:1"),
            vec!["AssumeRole at https://h by the proxy p:1: a reply that is too large after 7 ms"],
        ),
        (
            HttpReply::Failed(timed_out()),
            None,
            vec!["AssumeRole at https://h: no answer: the time limit passed after 7 ms"],
        ),
    ] {
        let mut findings = Findings::default();
        let time = Duration::from_millis(7);
        note(
            Call::AssumeRole,
            "https://h",
            proxy,
            time,
            &reply,
            at(0),
            &mut findings,
        );
        let texts: Vec<&str> = findings
            .list()
            .iter()
            .map(|finding| &*finding.text)
            .collect();
        assert_eq!(texts, expected);
    }
}
