//! STS, the authenticator that asks it, and the API server that holds the mappings.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_tests::authenticator::Authenticator;
use ack_ram_tests::cluster::Cluster;
use ack_ram_tests::exposition::Exposition;
use ack_ram_tests::ports;
use ack_ram_tests::sts::Emulator;
use ack_ram_tests::webhook::WebhookClient;
use bytes::Bytes;
use hyper::Method;
use serde_json::json;
use tempfile::TempDir;

const CLUSTER: &str = "c0123456789abcdef0123456789abcdef";
/// The definition and the rights, as people apply them.
const APPLIED: [&str; 2] = ["ramidentitymapping.yaml", "example.yaml"];
/// Between two questions; figures are good to this.
const PAUSE: Duration = Duration::from_millis(1);
/// Nothing here takes nearly as long; this says that it never comes.
const LIMIT: Duration = Duration::from_secs(120);

pub struct World {
    pub cluster: Cluster,
    pub authenticator: Authenticator,
    pub webhook: WebhookClient,
    sts: Emulator,
    config: PathBuf,
    // Dropped after those who use its files.
    folder: TempDir,
}

impl World {
    /// The authenticator runs, and nobody is mapped.
    pub fn start(sts: Emulator) -> Self {
        let cluster = Cluster::builder().start();
        for name in APPLIED {
            let path = format!("{}/../deploy/{name}", env!("CARGO_MANIFEST_DIR"));
            let applied = cluster.admin_kubectl(&["apply", "--filename", &path]);
            assert!(applied.success, "{name}: {}", applied.stderr);
        }
        let established = cluster.admin_kubectl(&[
            "wait",
            "--for=condition=Established",
            "--timeout=60s",
            "customresourcedefinition",
            "ramidentitymappings.ramauthenticator.k8s.alibabacloud",
        ]);
        assert!(established.success, "{}", established.stderr);
        let token = cluster.admin_kubectl(&[
            "create",
            "token",
            "--namespace=kube-system",
            "ack-ram-authenticator",
        ]);
        assert!(token.success, "{}", token.stderr);
        let kubeconfig = cluster.write_token_kubeconfig("account", token.stdout.trim());

        let folder = tempfile::tempdir().unwrap();
        let port = ports::free_port();
        let config = write_config(folder.path(), &sts, &kubeconfig, port);
        let authenticator = Authenticator::start(folder.path(), &config).unwrap();
        let ca = folder.path().join("state/cert.pem");
        Self {
            webhook: WebhookClient::new(&ca, port).unwrap(),
            cluster,
            authenticator,
            sts,
            config,
            folder,
        }
    }

    /// Ends the authenticator and starts it again. How long the end took.
    pub fn restart(mut self) -> (Self, Duration) {
        let start = Instant::now();
        let ended = self.authenticator.stop().unwrap();
        assert!(ended.success(), "{ended}");
        let stopping = start.elapsed();
        self.authenticator = Authenticator::start(self.folder.path(), &self.config).unwrap();
        (self, stopping)
    }

    /// A token of whoever holds `key`, good for as often as it is asked about for a quarter of an hour.
    pub fn token(&self, key: &AccessKey) -> Secret {
        let cluster = ClusterId::parse(CLUSTER).unwrap();
        sign::sign_token_v2(key, &cluster, "test", self.sts.now()).unwrap()
    }

    /// The username that `token` logs in with; `None` while nobody maps it, or that cannot be told.
    pub async fn username(&self, token: &Secret) -> Option<String> {
        let reply = self.webhook.review(token).await.unwrap();
        let username = reply.body["status"]["user"]["username"].as_str();
        username.map(str::to_owned)
    }

    /// Asks about `token` again and again until it logs in with `username`, or not at all for `None`.
    pub async fn until_username(&self, token: &Secret, username: Option<&str>) {
        let start = Instant::now();
        loop {
            let now = self.username(token).await;
            if now.as_deref() == username {
                return;
            }
            assert!(
                start.elapsed() < LIMIT,
                "still {now:?}, not {username:?}:\n{}",
                self.authenticator.log()
            );
            // Else the question itself would take what the answer needs of a small machine.
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What `/metrics` tells of `name` with `labels`.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let request = self.webhook.request(Method::GET, "/metrics");
        let request = request.body(Bytes::new().into()).unwrap();
        let reply = self.webhook.send(request).await.unwrap();
        let text = String::from_utf8(reply.bytes.to_vec()).unwrap();
        let metrics = Exposition::parse(&text).unwrap();
        // A counter that was never counted up may be missing.
        metrics.value(name, labels).unwrap_or_default()
    }
}

fn write_config(folder: &Path, sts: &Emulator, kubeconfig: &Path, port: u16) -> PathBuf {
    let ca = folder.join("sts-ca.pem");
    fs::write(&ca, sts.ca_pem()).unwrap();
    let config = json!({
        "clusterID": CLUSTER,
        "server": {
            "port": port,
            "healthPort": 0,
            "stateDir": folder.join("state"),
            "generateKubeconfig": folder.join("generated.kubeconfig"),
            "sts": sts.settings(&ca),
            "backendMode": ["CRD"],
            "kubeconfig": kubeconfig,
        },
    });
    let path = folder.join("config.yaml");
    fs::write(&path, config.to_string()).unwrap();
    path
}
