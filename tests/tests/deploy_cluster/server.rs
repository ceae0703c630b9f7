//! The server itself, with the rights of its service account and no others.

use std::path::Path;

use ack_ram_core::sign::AccessKey;
use ack_ram_tests::cluster::Cluster;
use ack_ram_tests::eventually::{LIMIT, block_until};
use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::sts::demo;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::{ACCOUNT, Account, DEPLOY, MAPPINGS, apply_everything, succeed};

const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases";
const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/default/events";
const RESOURCE: &str = "/apis/ramauthenticator.k8s.alibabacloud/v1alpha1/ramidentitymappings";

#[test]
fn server_runs_with_rights_of_its_service_account() {
    let cluster = Cluster::builder().start();
    apply_everything(&cluster);
    cluster.apply(&mapped_users(json!([
        { "userarn": demo::STRANGER_ARN, "username": "of-the-config-map", "groups": [] },
    ])));
    let fixture = ServerFixture::start(&cluster, &["CRD", "ACKConfigMap", "MountedFile"], &[]);

    // From example-ramidentitymapping.yaml, the ConfigMap, and the server's own file.
    fixture.until_username(&demo::user_key(), "alice");
    fixture.until_username(&demo::stranger_key(), "of-the-config-map");
    fixture.until_username(&demo::root_key(), demo::ROOT_ARN);
    wait_for_acceptance(&cluster);
    wait_for_object(&format!("{LEASE}/{ACCOUNT}"), &cluster, |lease| {
        let holder = lease["spec"]["holderIdentity"].as_str();
        holder.is_some_and(|holder| !holder.is_empty())
    });

    check_changes_take_effect(&fixture);
    check_events(&cluster);
    fixture.end();
    check_nothing_was_forbidden(&cluster);
    // The server released the Lease, so that the next server does not wait.
    let lease = cluster.api().get(&format!("{LEASE}/{ACCOUNT}")).ok();
    let holder = lease["spec"]["holderIdentity"].as_str();
    assert_eq!(holder.unwrap_or_default(), "", "{lease}");
}

fn check_changes_take_effect(fixture: &ServerFixture<'_>) {
    let cluster = fixture.cluster;
    cluster.apply(&mapped_users(json!([])));
    fixture.until_username(&demo::stranger_key(), demo::STRANGER_ARN);
    let mapping = |username: &str| mapping("mallory", demo::STRANGER_ARN, username);
    cluster.apply(&mapping("of-an-object"));
    fixture.until_username(&demo::stranger_key(), "of-an-object");
    cluster.apply(&mapping("renamed"));
    fixture.until_username(&demo::stranger_key(), "renamed");
    wait_for_acceptance(cluster);
    succeed(cluster.admin_kubectl(&["delete", MAPPINGS, "mallory"]));
    fixture.until_username(&demo::stranger_key(), demo::STRANGER_ARN);
}

/// Checks that a rejected object, and the newer of two objects with the same identity, each have an event.
fn check_events(cluster: &Cluster) {
    // The definition allows this object, but the server rejects it: the caller would choose the rest of a system name.
    let username = "system:node:{{SessionName}}";
    cluster.apply(&mapping("refused", demo::ROLE_ARN, username));
    cluster.apply(&mapping("younger", demo::USER_ARN, "alice-again"));
    for name in ["refused", "younger"] {
        wait_for_object(EVENTS, cluster, |events| {
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
fn server_with_pod_arguments_creates_the_definition() {
    let cluster = Cluster::builder().start();
    let example = |name: &str| Path::new(DEPLOY).join(name).to_string_lossy().into_owned();
    succeed(cluster.admin_kubectl(&["apply", "--filename", &example("example.yaml")]));
    assert_eq!(cluster.api().get(RESOURCE).status, 404);
    let options = options_of_the_pod(&cluster);
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut fixture = ServerFixture::start(&cluster, &["CRD"], &options);
    let made = fixture
        .server
        .server_mut()
        .wait_for_log(|line| line.contains("is up to date"), LIMIT);
    made.unwrap_or_else(|error| panic!("{error}"));
    let examples = example("example-ramidentitymapping.yaml");
    succeed(cluster.admin_kubectl(&["apply", "--validate=strict", "--filename", &examples]));
    fixture.until_username(&demo::user_key(), "alice");
    wait_for_acceptance(&cluster);
    fixture.end();
    check_nothing_was_forbidden(&cluster);
}

/// Returns the arguments of the server in the DaemonSet after its configuration file.
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

/// A server that uses the API server with its service account.
struct ServerFixture<'a> {
    cluster: &'a Cluster,
    server: Fixture,
    runtime: Runtime,
}

impl<'a> ServerFixture<'a> {
    fn start(cluster: &'a Cluster, backends: &[&str], options: &[&str]) -> Self {
        let account = Account::log_in(cluster);
        let builder = Fixture::builder().settings(&json!({
            "backendMode": backends,
            "kubeconfig": account.kubeconfig,
            // A user without another mapping has their own ARN as username.
            "mapAccounts": [demo::ACCOUNT],
        }));
        Self {
            cluster,
            server: builder.options(options).start(),
            runtime: Runtime::new().unwrap(),
        }
    }

    /// Waits until the user with `key` logs in as `username`.
    fn until_username(&self, key: &AccessKey, username: &str) {
        block_until("login", || {
            let review = self.server.review_of(key);
            let reply = self.runtime.block_on(review);
            let found = &reply.body["status"]["user"]["username"];
            if found == username {
                Ok(())
            } else {
                let log = self.server.log();
                Err(format!("{found}, not {username}:\n{log}"))
            }
        });
    }

    fn end(mut self) {
        let log = self.server.log();
        let ended = self.server.stop_server();
        assert!(ended.success(), "{ended}");
        for part in ["orbidden", "no permission", "nauthorized"] {
            assert!(!log.contains(part), "{part}:\n{log}");
        }
    }
}

/// Returns a ConfigMap that maps `users`.
fn mapped_users(users: Value) -> Value {
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
fn wait_for_acceptance(cluster: &Cluster) {
    let condition = "--for=condition=Accepted";
    succeed(cluster.admin_kubectl(&["wait", condition, "--timeout=60s", "--all", MAPPINGS]));
}

/// Waits until the object at `path` is as expected.
fn wait_for_object(path: &str, cluster: &Cluster, is_expected: impl Fn(&Value) -> bool) {
    block_until(path, || match cluster.api().get(path).body {
        object if is_expected(&object) => Ok(()),
        object => Err(object.to_string()),
    });
}

/// Checks the request counter of the API server, because the server may not have logged each rejection.
fn check_nothing_was_forbidden(cluster: &Cluster) {
    let metrics = succeed(cluster.admin_kubectl(&["get", "--raw=/metrics"]));
    let mut requests = metrics
        .lines()
        .filter(|line| line.starts_with("apiserver_request_total{"))
        .peekable();
    assert!(
        requests.peek().is_some(),
        "the API server does not count requests"
    );
    let refused =
        requests.filter(|line| line.contains("code=\"401\"") || line.contains("code=\"403\""));
    let refused: Vec<&str> = refused.collect();
    assert!(refused.is_empty(), "{refused:#?}");
}
