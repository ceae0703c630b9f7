//! STS, the authenticator that asks it, and the API server that holds the mappings.

use std::time::{Duration, Instant};

use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::callers::token_v2;
use ack_ram_tests::cluster::Cluster;
use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::sts::Emulator;
use serde_json::json;

/// Between two questions; figures are good to this.
const PAUSE: Duration = Duration::from_millis(1);
/// Nothing here takes nearly as long; this says that it never comes.
const LIMIT: Duration = Duration::from_secs(120);

/// A server whose mappings are the objects of a cluster.
pub struct ScaleFixture {
    pub server: Fixture,
    pub cluster: Cluster,
}

impl ScaleFixture {
    /// The authenticator runs, and nobody is mapped.
    pub fn start(sts: Emulator) -> Self {
        // These wait for answers of the API server, which a task must not.
        let (cluster, kubeconfig) = tokio::task::block_in_place(|| {
            let cluster = Cluster::builder().start();
            cluster.apply_definition();
            cluster.apply_deploy("example.yaml");
            let token = cluster.create_service_account_token();
            let kubeconfig = cluster.write_token_kubeconfig("account", &token);
            (cluster, kubeconfig)
        });
        let settings = json!({ "backendMode": ["CRD"], "kubeconfig": kubeconfig });
        let server = Fixture::builder().sts(sts).settings(&settings).start();
        Self { server, cluster }
    }

    /// Ends the authenticator and starts it again. Returns how long the end took.
    pub fn restart(&mut self) -> Duration {
        let start = Instant::now();
        let ended = self.server.stop_server();
        assert!(ended.success(), "{ended}");
        let stopping = start.elapsed();
        self.server.start_server();
        stopping
    }

    /// A token of whoever holds `key`, good for as often as it is asked about for a quarter of an hour.
    pub fn token(&self, key: &AccessKey) -> Secret {
        token_v2(key, self.server.sts.now())
    }

    /// The username that `token` logs in with; `None` while nobody maps it, or that cannot be told.
    pub async fn username(&self, token: &Secret) -> Option<String> {
        let reply = self.server.review(token).await;
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
                self.server.log()
            );
            // Else the question itself would take what the answer needs of a small machine.
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The value of the metric `name` with `labels`; 0 for a counter that was never counted up.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let metrics = self.server.webhook().metrics().await;
        metrics.value(name, labels).unwrap_or_default()
    }
}
