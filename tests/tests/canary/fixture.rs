//! A server that goes through every case, and a record of everything it prints and sends.

use std::fs;
use std::path::Path;

use ack_ram_core::secret::Secret;
use ack_ram_tests::authenticator;
use ack_ram_tests::callers::bearer;
use ack_ram_tests::eventually::eventually;
use ack_ram_tests::ports;
use ack_ram_tests::process::Process;
use ack_ram_tests::server_config::ServerConfig;
use ack_ram_tests::sts::{Emulator, demo};
use ack_ram_tests::webhook::WebhookClient;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{AUTHORIZATION, HeaderValue};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::secrets::Secrets;
use crate::tokens::{KUBE_TOKEN, MARKS, PROXY_PASSWORD, SECURITY_TOKEN, Tokens, with_marked_keys};

pub(crate) use ack_ram_tests::eventually::LIMIT;

/// A server, its STS, and everything that the server has printed or sent.
pub(crate) struct CanaryFixture {
    pub(crate) sts: Emulator,
    pub(crate) tokens: Tokens,
    pub(crate) webhook: WebhookClient,
    server: Process,
    health_port: u16,
    secrets: Secrets,
    /// Each output with the name of its source.
    outputs: Vec<(String, Vec<u8>)>,
    folder: TempDir,
}

impl CanaryFixture {
    pub(crate) async fn start(level: &str, format: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sts = with_marked_keys(Emulator::builder()).start().unwrap();
        let (port, health_port) = (ports::free_port(), ports::free_port());
        write_config(folder.path(), &sts, port, health_port);
        let arguments = ["server", "-c", "config.yaml", "--log-format", format];
        let mut command = authenticator::command(folder.path(), &arguments);
        command.env("ACK_RAM_AUTHENTICATOR_LOG", level);
        let proxy = format!("http://user:{PROXY_PASSWORD}@127.0.0.1:1");
        command.env("HTTPS_PROXY", proxy);
        let mut server = Process::spawn("ack-ram-authenticator", command).unwrap();
        eventually("the server listens", async || {
            assert!(server.is_running());
            TcpStream::connect(("127.0.0.1", port)).await
        })
        .await;
        Self {
            webhook: WebhookClient::new(&folder.path().join("state/cert.pem"), port).unwrap(),
            tokens: Tokens::at(sts.now()),
            sts,
            server,
            health_port,
            secrets: Secrets::new(&MARKS),
            outputs: Vec::new(),
            folder,
        }
    }

    /// Requests a review of `token` and returns the HTTP status.
    pub(crate) async fn review(&mut self, token: &Secret) -> u16 {
        self.secrets.add_token(token);
        let review = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": { "token": token.expose() },
        });
        let request = self.webhook.request(hyper::Method::POST, "/authenticate");
        self.send_request(request.body(review.to_string().into()).unwrap())
            .await
    }

    /// Requests external authorization with `token` and one more header. The answer does not matter.
    pub(crate) async fn ask_as_proxy(&mut self, token: &Secret, (name, value): (&str, &str)) {
        self.secrets.add_token(token);
        let authorization = bearer(token).into_bytes();
        // Some secrets are not valid in a header.
        let Ok(authorization) = HeaderValue::from_bytes(&authorization) else {
            return;
        };
        let request = self.webhook.request(hyper::Method::GET, "/ext-authz");
        let request = request
            .header(AUTHORIZATION, authorization)
            .header(name, value);
        self.send_request(request.body(Full::default()).unwrap())
            .await;
    }

    /// Sends `request` to the webhook port and returns the HTTP status.
    pub(crate) async fn send_request(&mut self, request: Request<Full<Bytes>>) -> u16 {
        let reply = self.webhook.send(request).await.unwrap();
        let answer = format!("{} {:?}\n", reply.status, reply.headers);
        let answer = [answer.as_bytes(), &reply.bytes].concat();
        self.outputs.push(("an answer".to_owned(), answer));
        reply.status.as_u16()
    }

    /// Sends a GET request for `path` to the health port, with `head` as additional header lines.
    pub(crate) async fn get(&mut self, path: &str, head: &str) -> Vec<u8> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n{head}\r\n");
        let stream = self.connect_and_send(request.as_bytes()).await;
        self.read_answer(stream).await
    }

    /// Sends `bytes` to the health port, without more.
    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        let mut stream = self.connect_and_send(bytes).await;
        // The server may have closed the connection already.
        let _ended = stream.shutdown().await;
        self.read_answer(stream).await;
    }

    async fn connect_and_send(&self, bytes: &[u8]) -> TcpStream {
        let address = ("127.0.0.1", self.health_port);
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The server stops reading requests that are too long.
        let _ended = stream.write_all(bytes).await;
        stream
    }

    /// Reads until the server closes the connection.
    async fn read_answer(&mut self, mut stream: TcpStream) -> Vec<u8> {
        let mut answer = Vec::new();
        let read = tokio::time::timeout(LIMIT, stream.read_to_end(&mut answer));
        // A reset ends a connection, too.
        let _ended = read.await.expect("the connection is closed");
        self.outputs
            .push(("an answer of the health port".to_owned(), answer.clone()));
        answer
    }

    /// Stops the server and searches all of its outputs for secrets.
    pub(crate) async fn finish(mut self, case: &str, min_decisions: usize) {
        for path in ["/metrics", "/readyz?verbose", "/readyz"] {
            assert!(self.get(path, "").await.starts_with(b"HTTP/1.1 "), "{path}");
        }
        let folder = self.folder.path();
        for output in ["text", "json", "yaml"] {
            let mut get = authenticator::command(
                folder,
                &["get", "mappings", "--state-dir", "state", "-o", output],
            );
            get.env("ACK_RAM_AUTHENTICATOR_LOG", "trace");
            let got = get.output().unwrap();
            self.outputs.push((
                "`get mappings`".to_owned(),
                [got.stdout, got.stderr].concat(),
            ));
        }
        let check = ["-l", "json", "server", "--check", "-c", "config.yaml"];
        let mut check = authenticator::command(folder, &check);
        check.env("ACK_RAM_AUTHENTICATOR_LOG", "trace");
        let checked = check.output().unwrap();
        let output = [checked.stdout, checked.stderr].concat();
        self.outputs.push(("`server --check`".to_owned(), output));
        let process = format!("/proc/{}", self.server.pid());
        let mut titles = vec![Path::new(&process).join("cmdline")];
        for task in fs::read_dir(format!("{process}/task")).unwrap() {
            titles.push(task.unwrap().path().join("comm"));
        }
        for title in titles {
            // The thread may have ended in the meantime.
            self.outputs
                .push(("the title".to_owned(), fs::read(title).unwrap_or_default()));
        }
        assert!(self.server.stop(LIMIT).unwrap().success());
        self.outputs
            .push(("the log".to_owned(), self.server.log().into_bytes()));
        self.outputs.extend(files(folder));

        // The secrets did get as far as STS.
        let requests = format!("{:?}", self.sts.requests());
        assert!(
            requests.contains(SECURITY_TOKEN),
            "{case}: STS did not receive the secrets"
        );
        let audit = fs::read_to_string(folder.join("audit.jsonl")).unwrap();
        let decisions = audit.lines().count();
        assert!(decisions >= min_decisions, "{case}: {decisions} decisions");

        let search = self.secrets.search();
        for (what, text) in &self.outputs {
            assert_eq!(search.find(text), None, "{case}: a secret is in {what}");
        }
    }
}

/// Returns all files except those that the test has written with secrets.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && entry.file_name() != "apiserver.kubeconfig" {
                let name = format!("the file {}", entry.path().display());
                files.push((name, fs::read(entry.path()).unwrap()));
            }
        }
    }
    files
}

fn write_config(folder: &Path, sts: &Emulator, port: u16, health_port: u16) {
    let kubeconfig = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "c", "cluster": { "server": "https://127.0.0.1:1" } }],
        "users": [{ "name": "u", "user": { "token": KUBE_TOKEN } }],
        "contexts": [{ "name": "x", "context": { "cluster": "c", "user": "u" } }],
        "current-context": "x",
    });
    fs::write(folder.join("apiserver.kubeconfig"), kubeconfig.to_string()).unwrap();
    let config = ServerConfig::new(folder, port).sts(sts);
    let config = config.settings(&json!({
        "healthPort": health_port,
        "kubeconfig": "apiserver.kubeconfig",
        "backendMode": ["MountedFile", "CRD", "ACKConfigMap"],
        "acceptTokenV1": true,
        "sts": {
            "fallbackEndpoints": ["sts.example"],
            "connectTimeout": "300ms",
            "timeout": "600ms",
            "breakerFailures": 0,
        },
        "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice", "groups": ["dev"] }],
        "mapRoles": [{ "roleARN": demo::ROLE_ARN, "username": "dev:{{SessionName}}" }],
        "audit": { "file": "audit.jsonl" },
        "extAuthz": { "enabled": true },
    }));
    let _path = config.write();
}
