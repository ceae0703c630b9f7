use std::sync::Arc;

use hyper::StatusCode;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::ConnectProxy;
use crate::http_service::test_client::{open, read};
use crate::http_service::{HttpService, ServiceReply};
use crate::test_authority::TestAuthority;

const HOST: &str = "oauth.example.com";

fn connector(authority: &TestAuthority) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// Sends the head of a request to the proxy, and returns the connection and the status line of the reply.
async fn send(proxy: &ConnectProxy, head: &str) -> (TcpStream, String) {
    let address = proxy.url().replace("http://", "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    while !reply.ends_with(b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut reply).await.unwrap(), 0, "{head}");
    }
    let reply = String::from_utf8(reply).unwrap();
    (stream, reply.lines().next().unwrap().to_owned())
}

#[tokio::test]
async fn known_host_leads_to_its_emulator_with_a_certificate_of_the_authority() {
    let authority = TestAuthority::generate().unwrap();
    let tls = authority.acceptor(&[HOST.to_owned()]).unwrap();
    let service = HttpService::start("test", Some(tls), |call| {
        ServiceReply::json(StatusCode::OK, &json!(call.path))
    })
    .unwrap();
    let proxy = ConnectProxy::start().unwrap();
    proxy.route("oauth.example.com:443", service.address());

    for (trusted, name, is_accepted) in [
        (&authority, HOST, true),
        (&authority, "other.example.com", false),
        (&TestAuthority::generate().unwrap(), HOST, false),
    ] {
        let head = "CONNECT oauth.example.com:443 HTTP/1.1\r\n\r\n";
        let (stream, status) = send(&proxy, head).await;
        assert_eq!(status, "HTTP/1.1 200 Connection established");
        let name = ServerName::try_from(name).unwrap();
        let stream = connector(trusted).connect(name, stream).await;
        assert_eq!(stream.is_ok(), is_accepted);
        if let Ok(stream) = stream {
            let reply = open(stream, "GET /path", &[], "").await.unwrap();
            assert_eq!(read(reply).await.unwrap().json(), json!("/path"));
        }
    }
    assert_eq!(proxy.requests(), ["CONNECT oauth.example.com:443"; 3]);
}

#[tokio::test]
async fn request_without_tls_is_forwarded() {
    let service = HttpService::start("test", None, |call| {
        let is_right = call.path == "/a" && call.query == "b" && &call.body[..] == b"xy";
        ServiceReply::json(StatusCode::OK, &json!(is_right))
    })
    .unwrap();
    let proxy = ConnectProxy::start().unwrap();
    proxy.route("plain.example.com:80", service.address());
    let address = proxy.url().replace("http://", "");
    let stream = TcpStream::connect(address).await.unwrap();
    let line = "POST http://plain.example.com/a?b";
    let reply = open(stream, line, &[], "xy").await.unwrap();
    assert_eq!(read(reply).await.unwrap().json(), json!(true));
    assert_eq!(proxy.requests(), ["POST plain.example.com:80"]);
}

#[tokio::test]
async fn unknown_host_and_malformed_request_are_refused() {
    let proxy = ConnectProxy::start().unwrap();
    for (head, status) in [
        (
            "CONNECT sts.aliyuncs.com:443 HTTP/1.1\r\n\r\n",
            "HTTP/1.1 502 Bad Gateway",
        ),
        (
            "GET http://sts.aliyuncs.com/ HTTP/1.1\r\n\r\n",
            "HTTP/1.1 502 Bad Gateway",
        ),
        ("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        ("nonsense\r\n\r\n", "HTTP/1.1 400 Bad Request"),
    ] {
        assert_eq!(send(&proxy, head).await.1, status, "{head}");
    }
}
