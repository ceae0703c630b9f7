//! The documented configuration in a real nginx, and what a service behind it gets.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Instant;

use ack_ram_tests::ports;
use ack_ram_tests::process::Process;
use ack_ram_tests::sts::{Fault, demo};
use ack_ram_tests::tools::NGINX;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::documented::documented;
use crate::world::{LIMIT, World, bearer};

/// Behind the proxy: answers every request with its head.
async fn service() -> SocketAddr {
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

/// nginx before a service, asking the server of a world.
struct Nginx {
    port: u16,
    _process: Process,
    _folder: TempDir,
}

impl Nginx {
    async fn start(world: &World) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = ports::free_port();
        let ca = world.folder.path().join("state/cert.pem");
        let service = service().await;
        let documented = &documented("nginx")[0];
        let servers = documented
            .replace("127.0.0.1:21362", &format!("127.0.0.1:{}", world.port))
            .replace("127.0.0.1:8081", &service.to_string())
            .replace("/var/ack-ram-authenticator/cert.pem", &ca.to_string_lossy())
            .replace(
                "server {",
                &format!("server {{\n    listen 127.0.0.1:{port};"),
            );
        let config = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr; events {{}}\n\
             http {{ access_log off; client_body_temp_path 1; proxy_temp_path 2; fastcgi_temp_path 3;\n\
             uwsgi_temp_path 4; scgi_temp_path 5;\n{servers}}}\n"
        );
        let path = folder.path().join("nginx.conf");
        std::fs::write(&path, config).unwrap();
        let mut command = Command::new(NGINX.path());
        command.arg("-p").arg(folder.path()).arg("-c").arg(path);
        command.args(["-e", "stderr"]);
        let mut process = Process::spawn("nginx", command).unwrap();
        let deadline = Instant::now() + LIMIT;
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert!(process.is_running() && Instant::now() < deadline);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        Self {
            port,
            _process: process,
            _folder: folder,
        }
    }

    /// Head and body of the answer to a request with these lines.
    async fn ask(&self, method: &str, path: &str, lines: &[String]) -> (String, String) {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let request =
            format!("{method} {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{lines}\r\n");
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        tokio::time::timeout(LIMIT, read).await.unwrap().unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_ascii_lowercase(), body.to_owned())
    }
}

/// The lines of a head that tell the service who comes, and its token.
fn identity(head: &str) -> Vec<String> {
    let told = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        name == "authorization" || name.replace(['_', '.'], "-").starts_with("x-remote")
    };
    let lines = head.lines().map(str::to_ascii_lowercase);
    lines.filter(|line| told(&line.as_str())).collect()
}

#[tokio::test]
async fn services_behind_nginx_get_who_comes_and_nothing_else() {
    let world = World::start(&json!({ "enabled": true, "joinGroups": true }));
    let nginx = Nginx::start(&world).await;
    let good = format!("authorization: {}", world.alice());
    let stranger = bearer(&world.token(&demo::stranger_key()));
    let stranger = format!("authorization: {stranger}");
    let of = |lines: &[&str]| {
        lines
            .iter()
            .map(|line| (*line).to_owned())
            .collect::<Vec<_>>()
    };
    let alice = of(&[
        "x-remote-user: alice",
        "x-remote-group: dev,ops team",
        "x-remote-uid: ack-ram-authenticator:1234567890123456:200000000000000001",
    ]);
    for (name, method, lines, status) in [
        ("good", "GET", of(&[&good]), 200),
        ("a body", "POST", of(&[&good, "content-length: 0"]), 200),
        ("another method", "DELETE", of(&[&good]), 200),
        (
            "other spellings",
            "GET",
            of(&[&good, "x_remote_user: root", "x.remote.group: root"]),
            200,
        ),
        ("no token", "GET", of(&[]), 401),
        (
            "another scheme",
            "GET",
            of(&["authorization: Basic YTpi"]),
            401,
        ),
        ("nobody mapped", "GET", of(&[&stranger]), 401),
        ("two tokens", "GET", of(&[&good, &good]), 400),
        ("a user", "GET", of(&[&good, "x-remote-user: root"]), 403),
        (
            "a group",
            "GET",
            of(&[&good, "x-remote-group: system:masters"]),
            403,
        ),
        ("a uid", "GET", of(&[&good, "x-remote-uid: 0"]), 403),
        (
            "an extra value",
            "GET",
            of(&[&good, "x-remote-extra-scopes: all"]),
            403,
        ),
        (
            "another extra value",
            "GET",
            of(&[&good, "X-Remote-Extra-SessionName: root"]),
            403,
        ),
        (
            "no token, but a user",
            "GET",
            of(&["x-remote-user: root"]),
            403,
        ),
    ] {
        let (head, body) = nginx.ask(method, "/a/b?c=d", &lines).await;
        let expected = format!("http/1.1 {status} ");
        assert!(head.starts_with(&expected), "{name}: {head}");
        if status == 200 {
            assert!(
                body.starts_with(&format!("{method} /a/b?c=d HTTP/1.")),
                "{name}: {body}"
            );
            assert_eq!(identity(&body), alice, "{name}");
        } else {
            assert_eq!(identity(&body), [""; 0], "{name}");
        }
        assert_eq!(
            head.contains("www-authenticate: bearer"),
            status == 401,
            "{name}: {head}"
        );
    }
    let (head, _) = nginx.ask("GET", "/_ram", &[good]).await;
    assert!(head.starts_with("http/1.1 404 "), "{head}");
}

#[tokio::test]
async fn when_nginx_gets_no_yes_nobody_passes() {
    let world = World::start(&json!({ "enabled": true, "joinGroups": true }));
    let nginx = Nginx::start(&world).await;
    world.sts.set_fault(Some(Fault::ServiceUnavailable));
    let line = format!("authorization: {}", world.alice());
    let (head, _) = nginx.ask("GET", "/", &[line]).await;
    assert!(head.starts_with("http/1.1 503 "), "{head}");
    assert!(head.contains("retry-after: 1"), "{head}");
    world.sts.set_fault(None);
    let good = format!("authorization: {}", world.alice());
    let (head, _) = nginx.ask("GET", "/", std::slice::from_ref(&good)).await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    world.authenticator.kill();
    let (head, _) = nginx.ask("GET", "/", &[good]).await;
    assert!(head.starts_with("http/1.1 500 "), "{head}");
}
