//! A server with an STS, and clients that do what no library lets them do.

use std::cell::Cell;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::review::ReviewVersion;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_core::time::UnixTime;
use ack_ram_tests::authenticator::{self, Authenticator};
use ack_ram_tests::exposition::Exposition;
use ack_ram_tests::ports;
use ack_ram_tests::process::Process;
use ack_ram_tests::sts::{Emulator, demo};
use ack_ram_tests::webhook::{Reply, WebhookClient, token_review};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) const CLUSTER: &str = "c0123456789abcdef0123456789abcdef";
/// What is waited for has happened long before, on any machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) sts: Emulator,
    authenticator: Authenticator,
    /// So much of the log has been looked at.
    seen: usize,
    pub(crate) webhook: WebhookClient,
    pub(crate) port: u16,
    health_port: u16,
    started: UnixTime,
    tokens: Cell<i64>,
    folder: TempDir,
}

impl World {
    /// `limits` are those under `server.limits`, `sts` what is under `server.sts` beside the necessary.
    pub(crate) fn start(limits: &Value, sts: &Value) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), limits, sts)
    }

    /// The same with a CA of clients; the webhook kubeconfig has a certificate of it.
    pub(crate) fn with_client_ca(limits: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        std::fs::create_dir(&state).unwrap();
        let init = authenticator::command(&state, &["init", "--client-cert"]);
        let mut init = Process::spawn("init", init).unwrap();
        assert!(init.wait(LIMIT).unwrap().success(), "{}", init.log());
        Self::start_in(folder, limits, &json!({}))
    }

    fn start_in(folder: TempDir, limits: &Value, sts: &Value) -> Self {
        let emulator = Emulator::builder().demo().start().unwrap();
        std::fs::write(folder.path().join("sts-ca.pem"), emulator.ca_pem()).unwrap();
        let (port, health_port) = (ports::free_port(), ports::free_port());
        let mut settings = emulator.settings(&folder.path().join("sts-ca.pem"));
        for (key, value) in sts.as_object().unwrap() {
            settings[key] = value.clone();
        }
        let config = json!({
            "clusterID": CLUSTER,
            "server": {
                "port": port,
                "healthPort": health_port,
                "stateDir": folder.path().join("state"),
                "generateKubeconfig": folder.path().join("webhook.kubeconfig"),
                "sts": settings,
                "limits": limits,
                "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice" }],
                "extAuthz": { "enabled": true },
            },
        });
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, config.to_string()).unwrap();
        let authenticator = Authenticator::start(folder.path(), &path).unwrap();
        Self {
            webhook: WebhookClient::new(&folder.path().join("state/cert.pem"), port).unwrap(),
            started: emulator.now(),
            sts: emulator,
            authenticator,
            seen: 0,
            port,
            health_port,
            tokens: Cell::new(0),
            folder,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A token that no other of this world is equal to: each is a second older.
    pub(crate) fn token(&self) -> Secret {
        self.token_of(&demo::user_key())
    }

    /// A token signed with `key` that no other of this world is equal to.
    pub(crate) fn token_of(&self, key: &AccessKey) -> Secret {
        let age = self.tokens.replace(self.tokens.get() + 1);
        let cluster = ClusterId::parse(CLUSTER).unwrap();
        let date = self.started.plus_seconds(-age);
        sign::sign_token_v2(key, &cluster, "test", date).unwrap()
    }

    /// What a new token signed with `key` is told.
    pub(crate) async fn review_of(&self, key: &AccessKey) -> Reply {
        self.review(&self.token_of(key)).await
    }

    pub(crate) async fn review(&self, token: &Secret) -> Reply {
        self.webhook.review(token).await.unwrap()
    }

    /// Whether a login of Alice's with a new token is granted.
    pub(crate) async fn alice_logs_in(&self) -> bool {
        self.review(&self.token()).await.body["status"]["authenticated"] == true
    }

    /// Edits what is under `server` in the configuration file.
    pub(crate) fn edit(&self, edit: impl FnOnce(&mut Value)) {
        let path = self.path("config.yaml");
        let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        edit(&mut config["server"]);
        let new = self.path("config.yaml.new");
        std::fs::write(&new, config.to_string()).unwrap();
        std::fs::rename(new, path).unwrap();
    }

    /// Has all files read again.
    pub(crate) fn hang_up(&self) {
        self.signal(Signal::SIGHUP);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.authenticator.pid()).unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// How it ends. Meanwhile no task of the test goes on.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let ended = self.authenticator.wait(LIMIT);
        ended.unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn log(&self) -> String {
        self.authenticator.log()
    }

    /// The next line of the log with `part`, after those that were waited for before.
    pub(crate) async fn wait_for_log(&mut self, part: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            let log = self.log();
            let mut end = self.seen;
            for line in log.get(self.seen..).unwrap().split_inclusive('\n') {
                end += line.len();
                if line.ends_with('\n') && line.contains(part) {
                    self.seen = end;
                    return line.to_owned();
                }
            }
            assert!(Instant::now() < deadline, "no {part:?}: {log}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A connection to the webhook with `alpn`; without any if that is empty.
    pub(crate) async fn connect(&self, alpn: &[u8]) -> TlsStream<TcpStream> {
        connect(&self.path("state/cert.pem"), self.port, alpn, None).await
    }

    /// A connection over HTTP/1.1 with the client certificate of the webhook kubeconfig.
    pub(crate) async fn connect_with_certificate(&self) -> TlsStream<TcpStream> {
        let text = std::fs::read_to_string(self.path("webhook.kubeconfig")).unwrap();
        let file: Value = serde_saphyr::from_str(&text).unwrap();
        let user = &file["users"][0]["user"];
        let client = ["client-certificate-data", "client-key-data"]
            .map(|key| STANDARD.decode(user[key].as_str().unwrap()).unwrap());
        let ca = self.path("state/cert.pem");
        connect(&ca, self.port, b"http/1.1", Some(client)).await
    }

    /// Where the health port is.
    pub(crate) fn health_address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.health_port).into()
    }

    pub(crate) async fn connect_to_health(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.health_port))
            .await
            .unwrap()
    }

    /// Head and body of the answer of the health port.
    pub(crate) async fn ask_health(&self, path: &str) -> (String, String) {
        let mut stream = self.connect_to_health().await;
        let request = format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    /// The value of a metric.
    pub(crate) async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let reply = self.webhook.request(Method::GET, "/metrics");
        let reply = self.webhook.send(reply.body("".into()).unwrap()).await;
        let text = String::from_utf8(reply.unwrap().bytes.to_vec()).unwrap();
        let name = format!("ack_ram_authenticator_{name}");
        let value = Exposition::parse(&text).unwrap().value(&name, labels);
        value.unwrap_or_else(|| panic!("no {name}: {text}"))
    }
}

/// A TLS connection to `port` that trusts `ca` alone, and shows `client`, a certificate and its key in PEM.
async fn connect(
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

/// A review of `token` as a request of HTTP/1.1, its head and its body.
pub(crate) fn http1_review(token: &Secret) -> (String, String) {
    let body = token_review(ReviewVersion::V1, token).to_string();
    let head = format!(
        "POST /authenticate HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    (head, body)
}

/// Status and body of one answer of HTTP/1.1.
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
    .expect("an answer")
}
