//! A server with an audit file, its STS and a client.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_core::time::UnixTime;
use ack_ram_tests::authenticator;
use ack_ram_tests::exposition::Exposition;
use ack_ram_tests::ports;
use ack_ram_tests::sts::{Emulator, demo};
use ack_ram_tests::webhook::{Reply, WebhookClient};
use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const CLUSTER: &str = "c0123456789abcdef0123456789abcdef";
pub(crate) const SCRUBBED: &str = "9999999999999999";
/// Longer than anything here takes on a slow machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// What a server needs that has not been started.
pub(crate) struct World {
    pub(crate) sts: Emulator,
    pub(crate) folder: TempDir,
    pub(crate) audit: PathBuf,
    port: u16,
    started: UnixTime,
    tokens: Cell<i64>,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sts = Emulator::builder().demo();
        let sts = sts.user(SCRUBBED, "carol", "400000000000000001", scrubbed_key());
        let sts = sts.start().unwrap();
        let port = ports::free_port();
        let audit = folder.path().join("audit.jsonl");
        let ca = folder.path().join("sts-ca.pem");
        fs::write(&ca, sts.ca_pem()).unwrap();
        // Their lines fill the log soon.
        let groups: Vec<String> = (0..100).map(|n| format!("{n:0>40}")).collect();
        let config = json!({
            "clusterID": CLUSTER,
            "server": {
                "port": port,
                "healthPort": 0,
                "stateDir": folder.path().join("state"),
                "generateKubeconfig": folder.path().join("webhook.kubeconfig"),
                "sts": sts.settings(&ca),
                "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice", "groups": ["dev", "ops"] }],
                "mapRoles": [{ "roleARN": demo::ROLE_ARN, "username": "many", "groups": groups }],
                "mapAccounts": [SCRUBBED],
                "scrubbedAccounts": [SCRUBBED],
                "audit": { "file": audit },
            },
        });
        fs::write(folder.path().join("config.yaml"), config.to_string()).unwrap();
        Self {
            started: sts.now(),
            sts,
            folder,
            audit,
            port,
            tokens: Cell::new(0),
        }
    }

    /// The command line of the server.
    pub(crate) fn server(&self) -> Command {
        authenticator::command(
            self.folder.path(),
            &["server", "-c", "config.yaml", "-l", "json"],
        )
    }

    pub(crate) fn webhook(&self) -> WebhookClient {
        let ca = self.folder.path().join("state/cert.pem");
        WebhookClient::new(&ca, self.port).unwrap()
    }

    /// A token that no other is equal to: each is a second older than the one before.
    pub(crate) fn token(&self, key: &AccessKey) -> Secret {
        let cluster = ClusterId::parse(CLUSTER).unwrap();
        let age = self.tokens.replace(self.tokens.get() + 1);
        let date = self.started.plus_seconds(-age);
        sign::sign_token_v2(key, &cluster, "test", date).unwrap()
    }
}

/// The key of a user whose account is scrubbed.
pub(crate) fn scrubbed_key() -> AccessKey {
    AccessKey {
        id: AccessKeyId::parse("LTAI5tDemoCarol0000001").unwrap(),
        secret: Secret::new("DemoCarolSecret00000000000001"),
        security_token: None,
    }
}

/// The objects of the lines of a file, without one of which only the beginning is there yet.
pub(crate) fn objects(path: &Path) -> Vec<Value> {
    let mut text = fs::read_to_string(path).unwrap_or_default();
    text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
    let object =
        |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(object).collect()
}

/// Waits until `look` sees something.
pub(crate) async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "{what}: not within {SOON:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What the server counts.
pub(crate) async fn metrics(webhook: &WebhookClient) -> Exposition {
    let request = webhook.request(Method::GET, "/metrics");
    let reply = webhook
        .send(request.body(Bytes::new().into()).unwrap())
        .await;
    let text = String::from_utf8(reply.unwrap().bytes.to_vec()).unwrap();
    Exposition::parse(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

/// Lines of the audit file: written, lost, and whether there is trouble.
pub(crate) async fn audit_metrics(webhook: &WebhookClient) -> [f64; 3] {
    let told = metrics(webhook).await;
    let lines = |result| {
        told.value(
            "ack_ram_authenticator_audit_lines_total",
            &[("result", result)],
        )
    };
    let trouble = told.value("ack_ram_authenticator_audit_trouble", &[]);
    [lines("written"), lines("lost"), trouble].map(Option::unwrap)
}

/// Whether somebody was granted a user.
pub(crate) fn is_granted(reply: &Reply) -> bool {
    reply.status == 200 && reply.body["status"]["authenticated"] == true
}
