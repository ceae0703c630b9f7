//! A service behind a proxy, and clients in front of the proxy.

use std::net::SocketAddr;

use ack_ram_tests::eventually::eventually;
use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::process::Process;
use ack_ram_tests::sts::Fault;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::fixture::{LIMIT, bearer_of_alice};

/// Starts a service that answers every request with the head of the request.
pub(crate) async fn service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let head = head(&mut stream).await;
                let length = head.len();
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{head}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            });
        }
    });
    address
}

async fn head(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        read.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(read).unwrap()
}

/// A proxy that listens on this port.
pub(crate) struct Proxy {
    port: u16,
}

impl Proxy {
    /// Waits until `process` accepts connections on `port`.
    pub(crate) async fn started(port: u16, process: &mut Process) -> Self {
        eventually("the proxy listens", async || {
            assert!(process.is_running());
            TcpStream::connect(("127.0.0.1", port)).await
        })
        .await;
        Self { port }
    }

    /// Returns head and body of the answer to a request with these header lines, which may set `Connection`.
    pub(crate) async fn send_request(
        &self,
        method: &str,
        path: &str,
        lines: &[String],
    ) -> (String, String) {
        let is_connection = |line: &String| line.to_ascii_lowercase().starts_with("connection:");
        let close = match lines.iter().any(is_connection) {
            true => "",
            false => "connection: close\r\n",
        };
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let request = format!("{method} {path} HTTP/1.1\r\nhost: h\r\n{close}{lines}\r\n");
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_answer(&mut stream);
        tokio::time::timeout(LIMIT, answer).await.unwrap()
    }

    /// Sends a request with two header lines and checks the status. The service must not receive the token, but it must
    /// receive Basic credentials if the second line has them.
    pub(crate) async fn check_no_token_passes(&self, path: &str, sent: [String; 2], status: u16) {
        let (head, body) = self.send_request("GET", path, &sent).await;
        assert!(
            head.starts_with(&format!("http/1.1 {status} ")),
            "{sent:?}: {head}"
        );
        assert!(!body.contains("k8s-ack-v"), "{sent:?}: {body}");
        let is_basic = body
            .to_ascii_lowercase()
            .contains("authorization: basic ytpi");
        assert_eq!(is_basic, sent[1].contains("Basic"), "{body}");
    }

    /// Checks that requests pass which are as large as those of browsers.
    pub(crate) async fn check_large_requests_pass(&self, fixture: &Fixture) {
        let good = format!("authorization: {}", bearer_of_alice(fixture));
        let long = "y".repeat(6 * 1024);
        let cookies = (1..=3).map(|number| format!("cookie: c{number}={long}"));
        let others = (1..=3).map(|number| format!("x-long-{number}: {long}"));
        for more in [cookies.collect::<Vec<_>>(), others.collect()] {
            let sent = [std::slice::from_ref(&good), &more].concat();
            let (head, body) = self.send_request("GET", "/", &sent).await;
            assert!(head.starts_with("http/1.1 200 "), "{}: {head}", more[0]);
            assert!(body.contains(&long), "{body}");
        }
    }

    /// Checks that CORS preflights pass without a user, and that nothing else passes without a token.
    pub(crate) async fn check_preflights(&self) {
        let preflight = ["origin: https://a", "access-control-request-method: PUT"];
        for (method, more, status) in [
            ("OPTIONS", "accept: */*", 200),
            ("GET", "accept: */*", 401),
            ("POST", "content-length: 0", 401),
            ("GET", "x-forwarded-method: OPTIONS", 401),
            ("GET", "x-http-method-override: OPTIONS", 401),
            ("OPTIONS", "x-http-method-override: DELETE", 401),
            ("OPTIONS", "x-method-override: DELETE", 401),
            ("OPTIONS", "x-http-method: DELETE", 401),
            ("OPTIONS", "authorization: Bearer x", 401),
            ("OPTIONS", "x-remote-user: root", 403),
            ("OPTIONS", "x-remote-extra-scopes: all", 403),
        ] {
            let sent = lines(&[preflight[0], preflight[1], more]);
            let (head, body) = self.send_request(method, "/a", &sent).await;
            let expected = format!("http/1.1 {status} ");
            assert!(head.starts_with(&expected), "{method} {more}: {head}");
            if status == 200 {
                assert!(body.starts_with("OPTIONS /a "), "{body}");
                let forwarded = identity(&body).into_iter();
                let forwarded: Vec<_> = forwarded.filter(|line| !line.ends_with(": ")).collect();
                assert_eq!(forwarded, [""; 0], "{body}");
            }
        }
        let (head, _) = self.send_request("OPTIONS", "/a", &[]).await;
        assert!(head.starts_with("http/1.1 401 "), "{head}");
    }

    /// Checks that no request passes while STS is unavailable, or after the server has stopped. The proxy then answers
    /// with `without_server`.
    pub(crate) async fn check_only_grants_pass(&self, mut fixture: Fixture, without_server: u16) {
        fixture.sts.set_fault(Some(Fault::ServiceUnavailable));
        let line = format!("authorization: {}", bearer_of_alice(&fixture));
        let (head, _) = self.send_request("GET", "/", &[line]).await;
        assert!(head.starts_with("http/1.1 503 "), "{head}");
        assert!(head.lines().any(|line| line == "retry-after: 1"), "{head}");
        fixture.sts.set_fault(Some(Fault::ThrottleUser));
        let line = format!("authorization: {}", bearer_of_alice(&fixture));
        let (head, _) = self.send_request("GET", "/", &[line]).await;
        assert!(head.starts_with("http/1.1 503 "), "{head}");
        assert!(head.contains("retry-after: 60"), "{head}");
        fixture.sts.set_fault(None);
        let good = format!("authorization: {}", bearer_of_alice(&fixture));
        let (head, _) = self
            .send_request("GET", "/", std::slice::from_ref(&good))
            .await;
        assert!(head.starts_with("http/1.1 200 "), "{head}");
        fixture.kill_server();
        let (head, _) = self.send_request("GET", "/", &[good]).await;
        assert!(
            head.starts_with(&format!("http/1.1 {without_server} ")),
            "{head}"
        );
    }
}

/// Reads one answer. The connection may stay open afterwards.
async fn read_answer(stream: &mut TcpStream) -> (String, String) {
    let head = head(stream).await.trim_end().to_ascii_lowercase();
    let length = head.lines().find_map(|line| {
        let value = line.strip_prefix("content-length:")?;
        value.trim().parse().ok()
    });
    let mut body = Vec::new();
    // The body of the proxy's own answers may end with the connection, and no test reads it.
    if let Some(length) = length {
        body.resize(length, 0);
        stream.read_exact(&mut body).await.unwrap();
    }
    (head, String::from_utf8(body).unwrap())
}

/// Returns the header lines with the identity of the user or a token, sorted by name.
pub(crate) fn identity(head: &str) -> Vec<String> {
    let is_identity_or_token = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        let is_token = line.contains("k8s-ack-v");
        is_token || name == "authorization" || name.replace(['_', '.'], "-").starts_with("x-remote")
    };
    let lines = head.lines().map(str::to_ascii_lowercase);
    let mut lines: Vec<_> = lines
        .filter(|line| is_identity_or_token(&line.as_str()))
        .collect();
    lines.sort_unstable();
    lines
}

pub(crate) fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}
