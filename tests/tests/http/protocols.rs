//! The protocols that clients offer in TLS, and the replies to each.

use std::process::Command;

use ack_ram_tests::process::Process;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::fixture::{LIMIT, connect, start};

#[tokio::test]
async fn connection_with_any_or_no_alpn_protocol_is_served() {
    let fixture = start(&json!({}), &json!({}));
    for (alpn, version) in [("http/1.0", "1.0"), ("http/1.1", "1.1"), ("", "1.0")] {
        let mut stream = connect(&fixture, alpn.as_bytes()).await;
        let chosen = stream.get_ref().1.alpn_protocol();
        assert_eq!(chosen.unwrap_or_default(), alpn.as_bytes());
        let close = match version {
            "1.0" => "",
            _ => "connection: close\r\n",
        };
        let request = format!("GET /healthz HTTP/{version}\r\nhost: h\r\n{close}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // The server closes the connection.
        let read = stream.read_to_string(&mut answer);
        tokio::time::timeout(LIMIT, read).await.unwrap().unwrap();
        assert!(
            answer.starts_with(&format!("HTTP/{version} 200 ")),
            "{alpn}: {answer}"
        );
        assert!(answer.ends_with("ok"), "{alpn}: {answer}");
    }
}

#[test]
fn curl_is_answered_in_every_http_version() {
    if Command::new("curl").arg("--version").output().is_err() {
        // The test above and `limits.rs` test the same without curl.
        return;
    }
    let fixture = start(&json!({}), &json!({}));
    let body = fixture.path("body");
    std::fs::write(&body, vec![b'x'; 1 << 20]).unwrap();
    for version in ["--http1.0", "--http1.1", "--http2"] {
        for (path, status, part) in [("healthz", "200", "ok"), ("authenticate", "413", "64 KiB")] {
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--show-error", version, "--noproxy", "*"]);
            curl.args(["--write-out", "\n%{http_code}\n", "--cacert"]);
            curl.arg(fixture.path("state/cert.pem"));
            if status == "413" {
                curl.args([
                    "--header",
                    "content-type: application/json",
                    "--data-binary",
                ]);
                curl.arg(format!("@{}", body.display()));
            }
            curl.arg(format!("https://localhost:{}/{path}", fixture.port));
            let mut curl = Process::spawn("curl", curl).unwrap();
            let exit = curl.wait(LIMIT).unwrap();
            let log = curl.log();
            assert!(exit.success(), "{version} {path}: {log}");
            assert!(log.contains(part), "{version} {path}: {log}");
            assert!(log.contains(status), "{version} {path}: {log}");
        }
    }
}
