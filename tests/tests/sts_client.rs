//! What the real binary remembers, whom it asks, and what it tells of it: one server, two endpoints of STS.

use std::path::PathBuf;
use std::time::Duration;

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign;
use ack_ram_tests::authenticator::Authenticator;
use ack_ram_tests::dates::DistinctDates;
use ack_ram_tests::exposition::Exposition;
use ack_ram_tests::ports;
use ack_ram_tests::sts::{Emulator, Fault, demo};
use ack_ram_tests::webhook::{Reply, WebhookClient};
use bytes::Bytes;
use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

const CLUSTER: &str = "c0123456789abcdef0123456789abcdef";
const PATIENCE: Duration = Duration::from_secs(60);

struct World {
    sts: Emulator,
    other: Emulator,
    dates: DistinctDates,
    authenticator: Authenticator,
    webhook: WebhookClient,
    config: PathBuf,
    _folder: TempDir,
}

impl World {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let emulator = || Emulator::builder().demo().start().unwrap();
        let (sts, other) = (emulator(), emulator());
        let ca = folder.path().join("sts-ca.pem");
        std::fs::write(&ca, format!("{}{}", sts.ca_pem(), other.ca_pem())).unwrap();
        let port = ports::free_port();
        let config = json!({
            "clusterID": CLUSTER,
            "server": {
                "port": port,
                "healthPort": 0,
                "stateDir": folder.path().join("state"),
                "generateKubeconfig": folder.path().join("webhook.kubeconfig"),
                "sts": {
                    "endpoint": sts.url(),
                    "fallbackEndpoints": [other.url()],
                    "caFile": ca,
                    "connectTimeout": "30s",
                    "timeout": "30s",
                    "breakerFailures": 2,
                    "breakerPause": "100ms",
                    "breakerMaxPause": "200ms",
                },
                "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice" }],
            },
        });
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, config.to_string()).unwrap();
        Self {
            authenticator: Authenticator::start(folder.path(), &path).unwrap(),
            webhook: WebhookClient::new(&folder.path().join("state/cert.pem"), port).unwrap(),
            dates: DistinctDates::back_from(sts.now()),
            sts,
            other,
            config: path,
            _folder: folder,
        }
    }

    /// A token that no other is equal to.
    fn token(&self) -> Secret {
        let cluster = ClusterId::parse(CLUSTER).unwrap();
        sign::sign_token_v2(&demo::user_key(), &cluster, "test", self.dates.next()).unwrap()
    }

    async fn review(&self, token: &Secret) -> Reply {
        self.webhook.review(token).await.unwrap()
    }

    async fn is_granted(&self, token: &Secret) -> bool {
        let reply = self.review(token).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.body["status"]["authenticated"] == true
    }

    async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let request = self.webhook.request(Method::GET, "/metrics");
        let request = request.body(Bytes::new().into()).unwrap();
        let reply = self.webhook.send(request).await.unwrap();
        let text = String::from_utf8(reply.bytes.to_vec()).unwrap();
        let told = Exposition::parse(&text).unwrap();
        told.value(&format!("ack_ram_authenticator_{name}"), labels)
    }

    fn edit(&self, edit: impl FnOnce(&mut Value)) {
        let text = std::fs::read_to_string(&self.config).unwrap();
        let mut config = serde_json::from_str(&text).unwrap();
        edit(&mut config);
        std::fs::write(&self.config, config.to_string()).unwrap();
    }
}

#[tokio::test]
async fn a_known_token_needs_no_call_and_gives_nothing_once_its_mapping_is_gone() {
    let mut world = World::start();
    let token = world.token();
    for _ in 0..20 {
        assert!(world.is_granted(&token).await);
    }
    assert_eq!(world.sts.requests().len(), 1);
    // A token that is remembered serves while STS cannot be asked at all.
    world.sts.set_fault(Some(Fault::InternalError));
    world.other.set_fault(Some(Fault::InternalError));
    assert!(world.is_granted(&token).await);
    assert_eq!(world.review(&world.token()).await.status, 503);
    let asked = world.sts.requests().len();

    world.edit(|config| config["server"]["mapUsers"] = json!([]));
    let gone = async {
        while world.is_granted(&token).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    assert_eq!(world.sts.requests().len(), asked);
    for line in [
        &["access granted", "cache=\"miss\""],
        &["access granted", "cache=\"hit\""],
        &["access denied", "cache=\"hit\""],
    ] {
        let is_it = |told: &str| line.iter().all(|part| told.contains(part));
        world.authenticator.wait_for_log(is_it, PATIENCE).unwrap();
    }
}

#[tokio::test]
async fn fifty_equal_tokens_at_once_are_one_call() {
    let world = World::start();
    let token = world.token();
    let delay = Fault::Delay(Duration::from_millis(300));
    world.sts.set_fault(Some(delay));
    let reviews: Vec<_> = (0..50)
        .map(|_| {
            let (webhook, token) = (world.webhook.clone(), token.clone());
            tokio::spawn(async move { webhook.review(&token).await.unwrap() })
        })
        .collect();
    for review in reviews {
        let reply = review.await.unwrap();
        assert_eq!(reply.body["status"]["authenticated"], true, "{reply:?}");
    }
    // However late some of them came, each waited for that call or found its answer.
    assert_eq!(world.sts.requests().len(), 1);
    let lookups = "identity_lookups_total";
    assert_eq!(
        world.metric(lookups, &[("result", "miss")]).await,
        Some(1.0)
    );
}

#[tokio::test]
async fn another_endpoint_serves_until_the_first_is_back() {
    let mut world = World::start();
    let first = world.sts.endpoint();
    let second = world.other.endpoint();
    world.sts.set_fault(Some(Fault::CloseOnAccept));
    world.sts.cut_connections();
    for _ in 0..5 {
        assert!(world.is_granted(&world.token()).await);
    }
    assert_eq!(world.other.requests().len(), 5);
    let labels = [("endpoint", &*second)];
    let fallbacks = world.metric("sts_fallbacks_total", &labels).await;
    assert_eq!(fallbacks, Some(5.0));
    let left_alone = |line: &str| line.contains("no call goes there for") && line.contains(&first);
    world
        .authenticator
        .wait_for_log(left_alone, PATIENCE)
        .unwrap();

    world.sts.set_fault(None);
    let back = async {
        let state = "sts_breaker_state";
        while world.metric(state, &[("endpoint", &first)]).await != Some(0.0) {
            assert!(world.is_granted(&world.token()).await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, back).await.unwrap();
    let asked = world.other.requests().len();
    assert!(world.is_granted(&world.token()).await);
    assert_eq!(world.other.requests().len(), asked);
}
