//! The server itself, with the rights of its service account and no others.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_tests::authenticator::{self, Authenticator};
use ack_ram_tests::cluster::Cluster;
use ack_ram_tests::ports;
use ack_ram_tests::sts::{Emulator, demo};
use ack_ram_tests::webhook::WebhookClient;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{ACCOUNT, Account, DEPLOY, MAPPINGS, apply_everything, succeed};

const CLUSTER: &str = "c0123456789abcdef0123456789abcdef";
/// Nothing here takes nearly as long.
const LONG: Duration = Duration::from_secs(120);
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/default/events";
const RESOURCE: &str = "/apis/ramauthenticator.k8s.alibabacloud/v1alpha1/ramidentitymappings";

#[test]
fn the_server_needs_no_other_rights() {
    let cluster = Cluster::builder().start();
    apply_everything(&cluster);
    cluster.apply(&people(json!([
        { "userarn": demo::STRANGER_ARN, "username": "of-the-config-map", "groups": [] },
    ])));
    let world = World::start(&cluster, &["CRD", "ACKConfigMap", "MountedFile"], &[]);

    // Of example-ramidentitymapping.yaml, of the ConfigMap, and of the server's own file.
    world.until_username(&demo::user_key(), "alice");
    world.until_username(&demo::stranger_key(), "of-the-config-map");
    world.until_username(&demo::root_key(), demo::ROOT_ARN);
    accepted(&cluster);
    until(&format!("{LEASE}/{ACCOUNT}"), &cluster, |lease| {
        let holder = lease["spec"]["holderIdentity"].as_str();
        holder.is_some_and(|holder| !holder.is_empty())
    });

    the_effect_of_changes(&world);
    events_appear(&cluster);
    world.end();
    nothing_was_forbidden(&cluster);
    // Given back, so that the next server need not wait.
    let lease = cluster.api().get(&format!("{LEASE}/{ACCOUNT}")).ok();
    let holder = lease["spec"]["holderIdentity"].as_str();
    assert_eq!(holder.unwrap_or_default(), "", "{lease}");
}

fn the_effect_of_changes(world: &World<'_>) {
    let cluster = world.cluster;
    cluster.apply(&people(json!([])));
    world.until_username(&demo::stranger_key(), demo::STRANGER_ARN);
    let mapping = |username: &str| mapping("mallory", demo::STRANGER_ARN, username);
    cluster.apply(&mapping("of-an-object"));
    world.until_username(&demo::stranger_key(), "of-an-object");
    cluster.apply(&mapping("renamed"));
    world.until_username(&demo::stranger_key(), "renamed");
    accepted(cluster);
    succeed(cluster.admin_kubectl(&["delete", MAPPINGS, "mallory"]));
    world.until_username(&demo::stranger_key(), demo::STRANGER_ARN);
}

/// For an object that is refused, and for the younger of two that name the same identity.
fn events_appear(cluster: &Cluster) {
    // The definition lets it pass, and the server does not: the caller chooses the rest of the name.
    let username = "system:node:{{SessionName}}";
    cluster.apply(&mapping("refused", demo::ROLE_ARN, username));
    cluster.apply(&mapping("younger", demo::USER_ARN, "alice-again"));
    for name in ["refused", "younger"] {
        until(EVENTS, cluster, |events| {
            let mut events = events["items"].as_array().into_iter().flatten();
            events.any(|event| {
                event["regarding"]["name"] == name
                    && event["reportingController"] == ACCOUNT
                    && event["type"] == "Warning"
            })
        });
    }
}

#[test]
fn with_the_arguments_of_its_pod_the_server_makes_the_definition() {
    let cluster = Cluster::builder().start();
    let example = |name: &str| Path::new(DEPLOY).join(name).to_string_lossy().into_owned();
    succeed(cluster.admin_kubectl(&["apply", "--filename", &example("example.yaml")]));
    assert_eq!(cluster.api().get(RESOURCE).status, 404);
    let options = options_of_the_pod(&cluster);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut world = World::start(&cluster, &["CRD"], &options);
    let made = world
        .authenticator
        .wait_for_log(|line| line.contains("is up to date"), LONG);
    made.unwrap_or_else(|error| panic!("{error}"));
    let examples = example("example-ramidentitymapping.yaml");
    succeed(cluster.admin_kubectl(&["apply", "--validate=strict", "--filename", &examples]));
    world.until_username(&demo::user_key(), "alice");
    accepted(&cluster);
    world.end();
    nothing_was_forbidden(&cluster);
}

/// What the DaemonSet gives the server beside its configuration file.
fn options_of_the_pod(cluster: &Cluster) -> Vec<String> {
    let path = format!("/apis/apps/v1/namespaces/kube-system/daemonsets/{ACCOUNT}");
    let daemon = cluster.api().get(&path).ok();
    let args = &daemon["spec"]["template"]["spec"]["containers"][0]["args"];
    let args: Vec<String> = serde_json::from_value(args.clone()).unwrap();
    let [server, config, _, options @ ..] = &args[..] else {
        panic!("{args:?}");
    };
    assert_eq!([&**server, &**config], ["server", "--config"]);
    options.to_vec()
}

/// STS, and the server that asks it and, as its service account, the API server.
struct World<'a> {
    cluster: &'a Cluster,
    authenticator: Authenticator,
    webhook: WebhookClient,
    sts: Emulator,
    runtime: Runtime,
    // Dropped after those who use its files.
    _folder: TempDir,
}

impl<'a> World<'a> {
    fn start(cluster: &'a Cluster, backends: &[&str], options: &[&str]) -> Self {
        let account = Account::log_in(cluster);
        let folder = tempfile::tempdir().unwrap();
        let sts = Emulator::builder().demo().start().unwrap();
        let ca = folder.path().join("sts-ca.pem");
        fs::write(&ca, sts.ca_pem()).unwrap();
        let port = ports::free_port();
        let config = json!({
            "clusterID": CLUSTER,
            "server": {
                "port": port,
                "healthPort": 0,
                "stateDir": folder.path(),
                "generateKubeconfig": folder.path().join("generated.kubeconfig"),
                "sts": sts.settings(&ca),
                "backendMode": backends,
                "kubeconfig": account.kubeconfig,
                // Who is mapped by nothing else has their own ARN as username.
                "mapAccounts": [demo::ACCOUNT],
            },
        });
        let path = folder.path().join("config.yaml");
        fs::write(&path, config.to_string()).unwrap();
        let path = path.to_string_lossy();
        let args = [&["server", "-c", &path], options].concat();
        let command = authenticator::command(folder.path(), &args);
        let authenticator = Authenticator::start_with(command).unwrap();
        Self {
            cluster,
            authenticator,
            webhook: WebhookClient::new(&folder.path().join("cert.pem"), port).unwrap(),
            sts,
            runtime: Runtime::new().unwrap(),
            _folder: folder,
        }
    }

    /// Waits until whoever holds `key` is `username`.
    fn until_username(&self, key: &AccessKey, username: &str) {
        let cluster = ClusterId::parse(CLUSTER).unwrap();
        let start = Instant::now();
        loop {
            let token = sign::sign_token_v2(key, &cluster, "test", self.sts.now()).unwrap();
            let reply = self.runtime.block_on(self.webhook.review(&token)).unwrap();
            let now = &reply.body["status"]["user"]["username"];
            if now == username {
                return;
            }
            let log = || self.authenticator.log();
            assert!(start.elapsed() < LONG, "{now}, not {username}:\n{}", log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn end(self) {
        let log = self.authenticator.log();
        let ended = self.authenticator.stop().unwrap();
        assert!(ended.success(), "{ended}");
        for part in ["orbidden", "no right", "nauthorized"] {
            assert!(!log.contains(part), "{part}:\n{log}");
        }
    }
}

/// The ConfigMap that maps `users`.
fn people(users: Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "namespace": "kube-system", "name": "alibabacloud-auth" },
        "data": { "mapUsers": users.to_string() },
    })
}

fn mapping(name: &str, arn: &str, username: &str) -> Value {
    json!({
        "apiVersion": "ramauthenticator.k8s.alibabacloud/v1alpha1",
        "kind": "RAMIdentityMapping",
        "metadata": { "name": name },
        "spec": { "arn": arn, "username": username },
    })
}

/// Waits until the status of all mappings says that they are in effect.
fn accepted(cluster: &Cluster) {
    let condition = "--for=condition=Accepted";
    succeed(cluster.admin_kubectl(&["wait", condition, "--timeout=60s", "--all", MAPPINGS]));
}

fn until(path: &str, cluster: &Cluster, wanted: impl Fn(&Value) -> bool) {
    let start = Instant::now();
    loop {
        let answer = cluster.api().get(path);
        if wanted(&answer.body) {
            return;
        }
        assert!(start.elapsed() < LONG, "{path}: {}", answer.body);
        thread::sleep(Duration::from_millis(100));
    }
}

/// By the API server's own count: the server may not have logged each refusal.
fn nothing_was_forbidden(cluster: &Cluster) {
    let metrics = succeed(cluster.admin_kubectl(&["get", "--raw=/metrics"]));
    let mut requests = metrics
        .lines()
        .filter(|line| line.starts_with("apiserver_request_total{"))
        .peekable();
    assert!(requests.peek().is_some(), "it does not count");
    let refused =
        requests.filter(|line| line.contains("code=\"401\"") || line.contains("code=\"403\""));
    let refused: Vec<&str> = refused.collect();
    assert!(refused.is_empty(), "{refused:#?}");
}
