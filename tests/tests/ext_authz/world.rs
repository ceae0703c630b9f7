//! A server that proxies may ask, and its STS.

use std::fs;
use std::time::Duration;

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_tests::authenticator::Authenticator;
use ack_ram_tests::callers::CLUSTER;
pub(crate) use ack_ram_tests::callers::bearer;
use ack_ram_tests::dates::DistinctDates;
use ack_ram_tests::exposition::Exposition;
use ack_ram_tests::ports;
use ack_ram_tests::sts::{Emulator, demo};
use ack_ram_tests::webhook::{Reply, WebhookClient};
use http_body_util::Full;
use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

/// What is waited for has happened long before, on any machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A server that proxies may ask, and its STS.
pub(crate) struct World {
    pub(crate) sts: Emulator,
    pub(crate) authenticator: Authenticator,
    pub(crate) proxy: WebhookClient,
    pub(crate) port: u16,
    dates: DistinctDates,
    pub(crate) folder: TempDir,
}

impl World {
    /// `settings` are `server.extAuthz`.
    pub(crate) fn start(settings: &Value) -> Self {
        Self::start_with(settings, |_| ())
    }

    /// With what `edit` makes of the server's configuration.
    pub(crate) fn start_with(settings: &Value, edit: impl FnOnce(&mut Value)) -> Self {
        Self::start_edited(tempfile::tempdir().unwrap(), settings, edit)
    }

    pub(crate) fn start_in(folder: TempDir, settings: &Value) -> Self {
        Self::start_edited(folder, settings, |_| ())
    }

    fn start_edited(folder: TempDir, settings: &Value, edit: impl FnOnce(&mut Value)) -> Self {
        let sts = Emulator::builder().demo().start().unwrap();
        let port = ports::free_port();
        let ca = folder.path().join("sts-ca.pem");
        fs::write(&ca, sts.ca_pem()).unwrap();
        let role = json!({
            "roleARN": demo::ROLE_ARN,
            "username": "dev:{{SessionName}}",
            "groups": ["dev", "a,b"],
        });
        let mut config = json!({
            "clusterID": CLUSTER,
            "server": {
                "port": port,
                "healthPort": 0,
                "stateDir": folder.path().join("state"),
                "generateKubeconfig": folder.path().join("webhook.kubeconfig"),
                "sts": sts.settings(&ca),
                "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice", "groups": ["dev", "ops team"] }],
                "mapRoles": [role],
                "extAuthz": settings,
            },
        });
        edit(&mut config);
        let path = folder.path().join("config.yaml");
        fs::write(&path, config.to_string()).unwrap();
        let authenticator = Authenticator::start(folder.path(), &path).unwrap();
        let ca = folder.path().join("state/cert.pem");
        Self {
            proxy: WebhookClient::new(&ca, port).unwrap(),
            dates: DistinctDates::back_from(sts.now()),
            sts,
            authenticator,
            port,
            folder,
        }
    }

    /// A token that no other of this world is equal to.
    pub(crate) fn token(&self, key: &AccessKey) -> Secret {
        let cluster = ClusterId::parse(CLUSTER).unwrap();
        sign::sign_token_v2(key, &cluster, "test", self.dates.next()).unwrap()
    }

    /// A line with a token of Alice's.
    pub(crate) fn alice(&self) -> String {
        bearer(&self.token(&demo::user_key()))
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = self.proxy.request(method, path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.proxy
            .send(request.body(Full::default()).unwrap())
            .await
            .unwrap()
    }

    pub(crate) async fn metrics(&self) -> Exposition {
        let reply = self.ask(Method::GET, "/metrics", &[]).await;
        Exposition::parse(std::str::from_utf8(&reply.bytes).unwrap()).unwrap()
    }
}

/// All headers of an answer that mean something to proxies, by name.
pub(crate) fn told(reply: &Reply) -> Vec<String> {
    let mut lines: Vec<String> = reply
        .headers
        .iter()
        .filter(|(name, _)| !["date", "content-length"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    // Repeated ones keep their order.
    lines.sort_by(|a, b| a.split(':').next().cmp(&b.split(':').next()));
    lines
}

/// That `reply` turns away, as every such answer does, with this status and detail.
pub(crate) fn check_refusal(name: &str, reply: &Reply, status: u16, error: &str, detail: &str) {
    assert_eq!(reply.status, status, "{name}: {reply:?}");
    assert_eq!(
        reply.headers["content-type"], "application/problem+json",
        "{name}"
    );
    assert_eq!(reply.headers["cache-control"], "no-store", "{name}");
    assert_eq!(reply.body["status"], status, "{name}");
    let said = reply.body["detail"].as_str().unwrap();
    assert!(said.contains(detail), "{name}: {said}");
    let challenge = reply.headers.get("www-authenticate");
    let challenge = challenge.map_or("", |challenge| challenge.to_str().unwrap());
    match error {
        "" => assert_eq!(challenge, "", "{name}"),
        "Bearer" => assert_eq!(challenge, "Bearer", "{name}"),
        error => {
            let start = format!(r#"Bearer error="{error}", error_description=""#);
            assert!(challenge.starts_with(&start), "{name}: {challenge}");
        }
    }
    let retry_after = reply.headers.get("retry-after");
    assert_eq!(retry_after.is_some(), status == 503, "{name}");
    let names = reply.headers.keys().map(|name| name.as_str());
    let told = names.filter(|name| name.starts_with("x-")).count();
    assert_eq!(told, 0, "{name}: {reply:?}");
}
