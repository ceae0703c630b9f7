//! Requests beyond a limit, whose clients get the reason, and floods of frames.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::Request;
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::bodies::{Body, http2, json_of};
use crate::fixture::{
    LIMIT, connect, connect_to_health, http1_answer, start, start_with_client_ca,
};

/// Returns a body in pieces, without a length.
fn pieces(length: usize) -> Body {
    let pieces = (0..length).step_by(16_000).map(move |start| {
        let piece = vec![b'x'; (length - start).min(16_000)];
        Ok(Frame::data(Bytes::from(piece)))
    });
    StreamBody::new(stream::iter(pieces)).boxed()
}

/// The reply to a request whose body is not read: path, status and a part of the detail.
const REFUSALS: [(&str, u16, &str); 3] = [
    ("/authenticate", 413, "64 KiB"),
    ("/ext-authz/a", 401, "there is no token"),
    ("/nothing", 404, "this port serves"),
];

fn detail(answer: &Value) -> &str {
    let detail = answer["message"].as_str().or(answer["detail"].as_str());
    detail.unwrap_or_default()
}

#[tokio::test]
async fn unread_body_gets_answer_over_http_1() {
    let fixture = start(&json!({}), &json!({}));
    for (path, status, reason) in REFUSALS {
        for length in [64 * 1024 + 1, 1 << 20] {
            let body = vec![b'x'; length];
            let whole = (format!("content-length: {length}"), body.clone());
            let chunk = format!("{length:x}\r\n");
            let chunk = [chunk.as_bytes(), &body, b"\r\n0\r\n\r\n"].concat();
            let chunked = ("transfer-encoding: chunked".to_owned(), chunk);
            for (framing, body) in [whole, chunked] {
                let mut stream = connect(&fixture, b"http/1.1").await;
                let head = format!(
                    "POST {path} HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\n{framing}\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).await.unwrap();
                // Sends the complete body before the reply is read.
                stream.write_all(&body).await.unwrap();
                stream.flush().await.unwrap();
                let (answered, answer) = http1_answer(&mut stream).await;
                assert_eq!(answered, status, "{path} {framing}: {answer}");
                assert!(detail(&answer).contains(reason), "{answer}");
            }
        }
    }
}

/// Sends an HTTP/1.1 request with a complete long body before the reply is read.
async fn send_body(stream: &mut (impl AsyncWrite + Unpin), method: &str, path: &str) {
    let length = 1 << 20;
    let head = format!("{method} {path} HTTP/1.1\r\nhost: h\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'x'; length]).await.unwrap();
    stream.flush().await.unwrap();
}

#[tokio::test]
async fn paths_without_body_answer_requests_with_body() {
    let fixture = start_with_client_ca(&json!({}));
    // The client has no certificate, so the server does not ask for the body.
    for (path, status) in [("/authenticate", 401), ("/ext-authz", 401)] {
        let mut stream = connect(&fixture, b"http/1.1").await;
        send_body(&mut stream, "POST", path).await;
        let (answered, answer) = http1_answer(&mut stream).await;
        assert_eq!(answered, status, "{path}: {answer}");
        assert_eq!(answer["kind"], "Status", "{path}");
    }
    for (path, part) in [("/metrics", "ack_ram_authenticator_"), ("/healthz", "ok")] {
        let mut tls = connect(&fixture, b"http/1.1").await;
        send_body(&mut tls, "GET", path).await;
        let mut plain = connect_to_health(&fixture).await;
        send_body(&mut plain, "GET", path).await;
        let (mut over_tls, mut over_tcp) = (String::new(), String::new());
        let read = async {
            tls.read_to_string(&mut over_tls).await.unwrap();
            plain.read_to_string(&mut over_tcp).await.unwrap();
        };
        tokio::time::timeout(LIMIT, read).await.unwrap();
        for answer in [over_tls, over_tcp] {
            assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
            assert!(answer.contains(part), "{path}: {answer}");
        }
    }
}

#[tokio::test]
async fn unread_body_gets_answer_over_http_2_and_connection_stays() {
    let fixture = start(&json!({}), &json!({}));
    let mut client = http2(&fixture).await;
    for (path, status, reason) in REFUSALS {
        for length in [64 * 1024 + 1, 1 << 20] {
            for body in [Full::from(vec![b'x'; length]).boxed(), pieces(length)] {
                let request = Request::post(format!("https://localhost{path}"))
                    .header("content-type", "application/json");
                let response = client.send_request(request.body(body).unwrap()).await;
                let (answered, answer) = json_of(response.unwrap()).await;
                assert_eq!(answered, status, "{path}: {answer}");
                assert!(detail(&answer).contains(reason), "{answer}");
            }
        }
    }
}

#[tokio::test]
async fn expect_continue_is_refused_before_the_body() {
    let fixture = start(&json!({}), &json!({}));
    for (path, status) in [
        ("/authenticate", 413),
        ("/ext-authz", 401),
        ("/nothing", 404),
    ] {
        let mut stream = connect(&fixture, b"http/1.1").await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: h\r\ncontent-length: 100000\r\nexpect: 100-continue\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let (answered, _) = http1_answer(&mut stream).await;
        assert_eq!(answered, status, "{path}");
    }
}

#[tokio::test]
async fn head_over_the_limit_is_answered_logged_and_counted() {
    let mut fixture = start(&json!({}), &json!({}));
    let mut client = http2(&fixture).await;
    let mut counted = 0.0;
    for (path, length, status) in [
        ("/authenticate", 15 * 1024, 405),
        ("/authenticate", 17 * 1024, 431),
        ("/nothing", 17 * 1024, 431),
        // Three cookies of 6 KB.
        ("/ext-authz", 18 * 1024, 401),
        ("/ext-authz", 63 * 1024, 401),
        ("/ext-authz/a", 66 * 1024, 431),
    ] {
        let mut stream = connect(&fixture, b"http/1.1").await;
        let value = "y".repeat(length);
        let request = format!("GET {path} HTTP/1.1\r\nhost: h\r\nx-long: {value}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut request = Request::get(format!("https://localhost{path}"));
        request = request.header("x-long", value);
        let request = request.body(Full::default().boxed()).unwrap();
        let over_http2 = json_of(client.send_request(request).await.unwrap()).await;
        let over_http1 = http1_answer(&mut stream).await;
        for (answered, answer) in [over_http1, over_http2] {
            assert_eq!(answered, status, "{path} {length}: {answer}");
            if status == 431 {
                assert!(detail(&answer).contains("; send a shorter URL"), "{answer}");
                let is_problem = answer["title"] == "Request Header Fields Too Large";
                assert_eq!(is_problem, path.starts_with("/ext-authz"), "{answer}");
                assert_eq!(answer["kind"] == "Status", !is_problem, "{answer}");
                counted += 1.0;
            }
        }
        if status == 431 {
            fixture.wait_for_log("the URL and the headers have").await;
        }
    }
    // A URL of 17 KB, as Envoy sends it.
    let url = format!("https://localhost/ext-authz/{}", "y".repeat(17 * 1024));
    let request = Request::get(url).body(Full::default().boxed()).unwrap();
    let (answered, _) = json_of(client.send_request(request).await.unwrap()).await;
    assert_eq!(answered, 401);
    // Beyond the limits of hyper, the reply has no detail.
    let mut stream = connect(&fixture, b"http/1.1").await;
    let value = "y".repeat(1 << 20);
    let request = format!("GET / HTTP/1.1\r\nhost: h\r\nx-long: {value}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    let read = stream.read_exact(&mut answer);
    tokio::time::timeout(LIMIT, read).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
    drop(stream);
    fixture
        .wait_for_log("its URL and headers are far larger")
        .await;
    let name = "requests_head_too_large_total";
    let found = fixture.metric(name, &[("port", "webhook")]).await;
    assert_eq!(found, counted + 1.0);
    // The health port has its own limit.
    let path = format!("/readyz?{}", "y".repeat(9 * 1024));
    let reply = fixture.ask_health(&path).await;
    assert_eq!(reply.status, 431, "{reply:?}");
    assert!(reply.body.contains("; send a shorter URL"), "{reply:?}");
    let found = fixture.metric(name, &[("port", "health")]).await;
    assert_eq!(found, 1.0);
}

#[tokio::test]
async fn flood_of_empty_frames_closes_the_connection() {
    let mut fixture = start(&json!({}), &json!({}));
    let ping = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    let start = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(),
        &[0, 0, 0, 4, 0, 0, 0, 0, 0],
    ];
    let mut stream = connect(&fixture, b"h2").await;
    stream.write_all(&start.concat()).await.unwrap();
    let flood = ping.repeat(100);
    let (mut reading, mut writing) = tokio::io::split(stream);
    let closed = async {
        let mut sink = Vec::new();
        // The connection ends with or without a reset.
        let _ended = reading.read_to_end(&mut sink).await;
    };
    let flooding = async {
        while writing.write_all(&flood).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = closed => {}
        () = flooding => {}
        () = tokio::time::sleep(LIMIT) => panic!("the connection stays open"),
    }
    fixture.wait_for_log("that start no request").await;
    let floods = fixture.metric("connections_flooding_total", &[("port", "webhook")]);
    assert_eq!(floods.await, 1.0);
    assert!(fixture.alice_is_granted().await);
}
