//! A server with an STS, and clients with behavior that no library offers.

use std::path::Path;
use std::sync::Arc;

use ack_ram_core::review::ReviewVersion;
use ack_ram_core::secret::Secret;
use ack_ram_tests::authenticator;
pub(crate) use ack_ram_tests::eventually::LIMIT;
use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::process::Process;
use ack_ram_tests::sts::demo;
use ack_ram_tests::webhook::token_review;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Starts a server with `limits` under `server.limits`, and `sts` merged into `server.sts`.
pub(crate) fn start(limits: &Value, sts: &Value) -> Fixture {
    start_in(tempfile::tempdir().unwrap(), limits, sts)
}

/// Starts a server with a client CA, so that the webhook kubeconfig contains a client certificate.
pub(crate) fn start_with_client_ca(limits: &Value) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    std::fs::create_dir(&state).unwrap();
    let init = authenticator::command(&state, &["init", "--client-cert"]);
    let mut init = Process::spawn("init", init).unwrap();
    assert!(init.wait(LIMIT).unwrap().success(), "{}", init.log());
    start_in(folder, limits, &json!({}))
}

fn start_in(folder: TempDir, limits: &Value, sts: &Value) -> Fixture {
    let settings = json!({
        "sts": sts,
        "limits": limits,
        "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice" }],
        "extAuthz": { "enabled": true },
    });
    Fixture::builder()
        .folder(folder)
        .settings(&settings)
        .start()
}

/// Connects to the webhook with `alpn`, or without any if `alpn` is empty.
pub(crate) async fn connect(fixture: &Fixture, alpn: &[u8]) -> TlsStream<TcpStream> {
    connect_as(&fixture.ca_file(), fixture.port, alpn, None).await
}

/// Connects over HTTP/1.1 with the client certificate of the webhook kubeconfig.
pub(crate) async fn connect_with_certificate(fixture: &Fixture) -> TlsStream<TcpStream> {
    let text = std::fs::read_to_string(fixture.path("webhook.kubeconfig")).unwrap();
    let file: Value = serde_saphyr::from_str(&text).unwrap();
    let user = &file["users"][0]["user"];
    let client = ["client-certificate-data", "client-key-data"]
        .map(|key| STANDARD.decode(user[key].as_str().unwrap()).unwrap());
    connect_as(&fixture.ca_file(), fixture.port, b"http/1.1", Some(client)).await
}

/// Connects to the health port.
pub(crate) async fn connect_to_health(fixture: &Fixture) -> TcpStream {
    TcpStream::connect(("127.0.0.1", fixture.health_port))
        .await
        .unwrap()
}

/// Opens a TLS connection to `port` that trusts only `ca`. `client` is a client certificate and its key in PEM.
async fn connect_as(
    ca: &Path,
    port: u16,
    alpn: &[u8],
    client: Option<[Vec<u8>; 2]>,
) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(ca).unwrap())
        .unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots);
    let mut config = match client {
        Some([certificate, key]) => {
            let chain = CertificateDer::pem_slice_iter(&certificate).collect::<Result<_, _>>();
            let key = PrivateKeyDer::from_pem_slice(&key).unwrap();
            config.with_client_auth_cert(chain.unwrap(), key).unwrap()
        }
        None => config.with_no_client_auth(),
    };
    if !alpn.is_empty() {
        config.alpn_protocols = vec![alpn.to_vec()];
    }
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(name, stream).await.unwrap()
}

/// Returns the head and the body of an HTTP/1.1 request that reviews `token`.
pub(crate) fn http1_review(token: &Secret) -> (String, String) {
    let body = token_review(ReviewVersion::V1, token).to_string();
    let head = format!(
        "POST /authenticate HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    (head, body)
}

/// Reads an HTTP/1.1 reply, and returns its status and its body.
pub(crate) async fn http1_answer(stream: &mut TlsStream<TcpStream>) -> (u16, Value) {
    let mut bytes = Vec::new();
    tokio::time::timeout(LIMIT, async {
        loop {
            let text = String::from_utf8_lossy(&bytes);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(": ")?;
                    let is_it = name.eq_ignore_ascii_case("content-length");
                    is_it.then(|| value.parse::<usize>().unwrap())
                });
                if body.len() >= length.unwrap() {
                    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                    return (status, serde_json::from_str(body).unwrap());
                }
            }
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "{bytes:?}");
        }
    })
    .await
    .expect("a reply")
}
