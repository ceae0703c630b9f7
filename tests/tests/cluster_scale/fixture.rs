//! STS, the authenticator that calls STS, and the API server that stores the mappings.

use std::time::{Duration, Instant};

use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::callers::token_v2;
use ack_ram_tests::cluster::Cluster;
use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::sts::Emulator;
use serde_json::json;

/// The pause between two logins, which is the precision of the printed times.
const PAUSE: Duration = Duration::from_millis(1);
/// The time limit of each wait. Nothing here takes nearly as long.
const LIMIT: Duration = Duration::from_secs(120);

/// A server whose mappings are the objects of a cluster.
pub struct ScaleFixture {
    pub server: Fixture,
    pub cluster: Cluster,
}

impl ScaleFixture {
    /// Starts the authenticator without any mapping.
    pub fn start(sts: Emulator) -> Self {
        // These calls block until the API server answers, which a task must not do.
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

    /// Restarts the authenticator. Returns the time that the stop took.
    pub fn restart(&mut self) -> Duration {
        let start = Instant::now();
        let ended = self.server.stop_server();
        assert!(ended.success(), "{ended}");
        let stopping = start.elapsed();
        self.server.start_server();
        stopping
    }

    /// Returns a token signed with `key`, which is valid for a quarter of an hour.
    pub fn token(&self, key: &AccessKey) -> Secret {
        token_v2(key, self.server.sts.now())
    }

    /// Returns the username that `token` logs in with, or `None` if it is not mapped or the login is unavailable.
    pub async fn username(&self, token: &Secret) -> Option<String> {
        let reply = self.server.review(token).await;
        let username = reply.body["status"]["user"]["username"].as_str();
        username.map(str::to_owned)
    }

    /// Waits until `token` logs in with `username`, or is denied if `username` is `None`.
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
            // Without a pause, the logins would take the processor time that the server needs on a small machine.
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Returns the value of the metric `name` with `labels`, or 0 for a counter that was never incremented.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let metrics = self.server.webhook().metrics().await;
        metrics.value(name, labels).unwrap_or_default()
    }
}
