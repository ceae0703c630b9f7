//! A service behind a proxy, and clients in front of it.

use std::net::SocketAddr;

use ack_ram_tests::eventually::eventually;
use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::process::Process;
use ack_ram_tests::sts::Fault;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::fixture::{LIMIT, bearer_of_alice};

/// Starts a service that answers every request with its head.
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
    /// Waits until `process` takes connections on `port`.
    pub(crate) async fn started(port: u16, process: &mut Process) -> Self {
        eventually("the proxy listens", async || {
            assert!(process.is_running());
            TcpStream::connect(("127.0.0.1", port)).await
        })
        .await;
        Self { port }
    }

    /// Returns head and body of the answer to a request with these lines, which may set `Connection`.
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

    /// Asks with the lines `asked` and expects `status`, an answer without a token of ours, and, where the second line has
    /// them, the Basic credentials of the service.
    pub(crate) async fn check_no_token_passes(&self, path: &str, asked: [String; 2], status: u16) {
        let (head, body) = self.send_request("GET", path, &asked).await;
        assert!(
            head.starts_with(&format!("http/1.1 {status} ")),
            "{asked:?}: {head}"
        );
        assert!(!body.contains("k8s-ack-v"), "{asked:?}: {body}");
        let is_basic = body
            .to_ascii_lowercase()
            .contains("authorization: basic ytpi");
        assert_eq!(is_basic, asked[1].contains("Basic"), "{body}");
    }

    /// Expects that requests pass that are as large as browsers make them.
    pub(crate) async fn check_large_requests_pass(&self, fixture: &Fixture) {
        let good = format!("authorization: {}", bearer_of_alice(fixture));
        let long = "y".repeat(6 * 1024);
        let cookies = (1..=3).map(|number| format!("cookie: c{number}={long}"));
        let others = (1..=3).map(|number| format!("x-long-{number}: {long}"));
        for more in [cookies.collect::<Vec<_>>(), others.collect()] {
            let asked = [std::slice::from_ref(&good), &more].concat();
            let (head, body) = self.send_request("GET", "/", &asked).await;
            assert!(head.starts_with("http/1.1 200 "), "{}: {head}", more[0]);
            assert!(body.contains(&long), "{body}");
        }
    }

    /// Expects that CORS preflights pass as nobody's, and that nothing else passes without a token.
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
            let asked = lines(&[preflight[0], preflight[1], more]);
            let (head, body) = self.send_request(method, "/a", &asked).await;
            let expected = format!("http/1.1 {status} ");
            assert!(head.starts_with(&expected), "{method} {more}: {head}");
            if status == 200 {
                assert!(body.starts_with("OPTIONS /a "), "{body}");
                let told = identity(&body).into_iter();
                let told: Vec<_> = told.filter(|line| !line.ends_with(": ")).collect();
                assert_eq!(told, [""; 0], "{body}");
            }
        }
        let (head, _) = self.send_request("OPTIONS", "/a", &[]).await;
        assert!(head.starts_with("http/1.1 401 "), "{head}");
    }

    /// Expects that nobody passes while STS is unavailable, or after the server has ended, when the proxy answers with
    /// `without_server`.
    pub(crate) async fn check_only_a_yes_passes(&self, mut fixture: Fixture, without_server: u16) {
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

/// Reads one answer; the connection may stay open after it.
async fn read_answer(stream: &mut TcpStream) -> (String, String) {
    let head = head(stream).await.trim_end().to_ascii_lowercase();
    let length = head.lines().find_map(|line| {
        let value = line.strip_prefix("content-length:")?;
        value.trim().parse().ok()
    });
    let mut body = Vec::new();
    // What a proxy answers by itself may end with the connection, and nobody looks at it.
    if let Some(length) = length {
        body.resize(length, 0);
        stream.read_exact(&mut body).await.unwrap();
    }
    (head, String::from_utf8(body).unwrap())
}

/// The lines of a head that tell the service who comes, and its token, in the order of their names.
pub(crate) fn identity(head: &str) -> Vec<String> {
    let told = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        let is_token = line.contains("k8s-ack-v");
        is_token || name == "authorization" || name.replace(['_', '.'], "-").starts_with("x-remote")
    };
    let lines = head.lines().map(str::to_ascii_lowercase);
    let mut lines: Vec<_> = lines.filter(|line| told(&line.as_str())).collect();
    lines.sort_unstable();
    lines
}

pub(crate) fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}
