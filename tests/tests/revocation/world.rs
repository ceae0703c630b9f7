//! A server of the real binary with an STS, whose configuration is edited while it runs.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign;
use ack_ram_tests::authenticator::Authenticator;
use ack_ram_tests::exposition::Exposition;
use ack_ram_tests::ports;
use ack_ram_tests::sts::{Emulator, demo};
use ack_ram_tests::webhook::WebhookClient;
use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

const CLUSTER: &str = "c0123456789abcdef0123456789abcdef";
/// What is waited for has happened long before, on any machine.
const LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(10);

pub struct World {
    pub sts: Emulator,
    /// Of the first start.
    token: Secret,
    authenticator: Option<Authenticator>,
    /// So much of the log has been looked at.
    seen: usize,
    port: u16,
    folder: TempDir,
}

impl World {
    /// A server with `settings` under `server`.
    pub async fn start(settings: &Value) -> Self {
        let sts = Emulator::builder().demo().start().unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("sts-ca.pem"), sts.ca_pem()).unwrap();
        let port = ports::free_port();
        let mut config = json!({
            "clusterID": CLUSTER,
            "server": {
                "port": port,
                "healthPort": 0,
                "stateDir": folder.path().join("state"),
                "generateKubeconfig": folder.path().join("webhook.kubeconfig"),
                "sts": sts.settings(&folder.path().join("sts-ca.pem")),
            },
        });
        let server = config["server"].as_object_mut().unwrap();
        server.extend(settings.as_object().unwrap().clone());
        fs::write(folder.path().join("config.yaml"), config.to_string()).unwrap();
        let cluster = ClusterId::parse(CLUSTER).unwrap();
        let mut world = Self {
            token: sign::sign_token_v2(&demo::user_key(), &cluster, "test", sts.now()).unwrap(),
            sts,
            authenticator: None,
            seen: 0,
            port,
            folder,
        };
        world.run().await;
        world
    }

    /// Starts the server, and waits until it has looked at its configuration file again: what changes from then on is an
    /// edit.
    async fn run(&mut self) {
        let started = Authenticator::start(self.folder.path(), &self.path("config.yaml"));
        self.authenticator = Some(started.unwrap());
        self.seen = 0;
        self.wait_for_reloads("MountedFile", 1.0).await;
    }

    /// Ends the server, and starts another one in its place.
    pub async fn restart(&mut self) {
        let before = self.authenticator.take().unwrap();
        before.stop().unwrap();
        self.run().await;
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts another file in place of the one called `name`.
    pub fn replace(&self, name: &str, content: &str) {
        let new = self.path("new");
        fs::write(&new, content).unwrap();
        fs::rename(new, self.path(name)).unwrap();
    }

    /// Edits what is under `server` in the configuration file, and waits until that is in effect.
    pub async fn edit(&self, edit: impl FnOnce(&mut Value)) {
        let before = self.reloads("MountedFile").await;
        self.write(edit);
        self.wait_for_reloads("MountedFile", before + 1.0).await;
    }

    /// Edits what is under `server` in the configuration file.
    pub fn write(&self, edit: impl FnOnce(&mut Value)) {
        let text = fs::read_to_string(self.path("config.yaml")).unwrap();
        let mut config: Value = serde_json::from_str(&text).unwrap();
        edit(&mut config["server"]);
        self.replace("config.yaml", &config.to_string());
    }

    /// The user, `username [groups]`, or why there is none, of a login of Alice's, always with the same token; and
    /// whether the identity came from the cache.
    pub async fn login(&mut self) -> (String, bool) {
        let reply = self.webhook().review(&self.token).await.unwrap();
        assert_eq!(reply.status.as_u16(), 200, "{reply:?}");
        let status = &reply.body["status"];
        let line = self.wait_for_log("result=").await;
        let is_hit = line.contains("cache=\"hit\"");
        if status["authenticated"] != true {
            let error = status["error"].as_str().unwrap_or_default();
            return (error.to_owned(), is_hit);
        }
        let user = &status["user"];
        let groups = user["groups"].as_array().into_iter().flatten();
        let groups: Vec<&str> = groups.map(|group| group.as_str().unwrap()).collect();
        let username = user["username"].as_str().unwrap();
        (format!("{username} [{}]", groups.join(" ")), is_hit)
    }

    /// The next line of the log with `part`, after those that were waited for before.
    pub async fn wait_for_log(&mut self, part: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            let log = self.authenticator.as_ref().unwrap().log();
            let mut end = self.seen;
            for line in log.get(self.seen..).unwrap().split_inclusive('\n') {
                end += line.len();
                if line.ends_with('\n') && line.contains(part) {
                    self.seen = end;
                    return line.to_owned();
                }
            }
            assert!(Instant::now() < deadline, "no {part:?}: {log}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// How often contents of `source` were put in effect.
    pub async fn reloads(&self, source: &str) -> f64 {
        let labels = [("source", source), ("result", "success")];
        self.metric("reloads_total", &labels).await
    }

    /// Waits until contents of `source` have been put in effect `count` times.
    pub async fn wait_for_reloads(&self, source: &str, count: f64) {
        let labels = [("source", source), ("result", "success")];
        self.wait_for_metric("reloads_total", &labels, count).await;
    }

    /// Waits until the metric `name` is `least` or more.
    pub async fn wait_for_metric(&self, name: &str, labels: &[(&str, &str)], least: f64) {
        let deadline = Instant::now() + LIMIT;
        while self.metric(name, labels).await < least {
            assert!(Instant::now() < deadline, "{name} {labels:?}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The value of a metric; 0 before there is one.
    async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let webhook = self.webhook();
        let request = webhook.request(Method::GET, "/metrics");
        let reply = webhook.send(request.body("".into()).unwrap()).await;
        let text = String::from_utf8(reply.unwrap().bytes.to_vec()).unwrap();
        let name = format!("ack_ram_authenticator_{name}");
        let metrics = Exposition::parse(&text).unwrap();
        metrics.value(&name, labels).unwrap_or_default()
    }

    fn webhook(&self) -> WebhookClient {
        WebhookClient::new(&self.path("state/cert.pem"), self.port).unwrap()
    }
}

/// An entry of `mapUsers` for Alice.
pub fn alice(groups: &[&str]) -> Value {
    json!({ "userARN": demo::USER_ARN, "username": "alice", "groups": groups })
}
