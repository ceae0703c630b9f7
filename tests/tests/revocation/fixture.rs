//! A server whose configuration is edited while it runs, with its STS.

use ack_ram_core::secret::Secret;
use ack_ram_tests::eventually::eventually;
use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::sts::demo;
use serde_json::{Value, json};

/// A server, and a token that Alice signed at its first start.
pub struct EditedServer {
    pub fixture: Fixture,
    token: Secret,
}

impl EditedServer {
    /// Starts a server with `settings` under `server`.
    pub async fn start(settings: &Value) -> Self {
        let fixture = Fixture::start(settings);
        let token = fixture.token();
        let server = Self { fixture, token };
        server.wait_for_first_poll().await;
        server
    }

    /// Restarts the server.
    pub async fn restart(&mut self) {
        self.fixture.restart();
        self.wait_for_first_poll().await;
    }

    /// Waits until the server has read its configuration file a first time, so that every later change is an edit.
    async fn wait_for_first_poll(&self) {
        self.wait_for_reloads("MountedFile", 1.0).await;
    }

    /// Edits `server` in the configuration file, and waits until the edit is in effect.
    pub async fn edit(&self, edit: impl FnOnce(&mut Value)) {
        let before = self.reloads("MountedFile").await;
        self.fixture.edit(edit);
        self.wait_for_reloads("MountedFile", before + 1.0).await;
    }

    /// Logs in as Alice, always with the same token. Returns the user as `username [groups]`, or the reason of the
    /// denial, and whether the identity came from the cache.
    pub async fn login(&mut self) -> (String, bool) {
        let reply = self.fixture.review(&self.token).await;
        assert_eq!(reply.status.as_u16(), 200, "{reply:?}");
        let status = &reply.body["status"];
        let line = self.fixture.wait_for_log("result=").await;
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

    /// Returns the number of successful reloads of `source`.
    pub async fn reloads(&self, source: &str) -> f64 {
        let labels = [("source", source), ("result", "success")];
        self.metric("reloads_total", &labels).await
    }

    /// Waits until there are `count` successful reloads of `source`.
    pub async fn wait_for_reloads(&self, source: &str, count: f64) {
        let labels = [("source", source), ("result", "success")];
        self.wait_for_metric("reloads_total", &labels, count).await;
    }

    /// Waits until the metric `name` is at least `least`.
    pub async fn wait_for_metric(&self, name: &str, labels: &[(&str, &str)], least: f64) {
        let reached = async || self.metric(name, labels).await >= least;
        eventually(name, reached).await;
    }

    /// Returns the value of a metric; 0 if the server does not report it.
    async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let value = self.fixture.find_metric(name, labels).await;
        value.unwrap_or_default()
    }
}

/// Returns an entry of `mapUsers` for Alice.
pub fn alice(groups: &[&str]) -> Value {
    json!({ "userARN": demo::USER_ARN, "username": "alice", "groups": groups })
}
