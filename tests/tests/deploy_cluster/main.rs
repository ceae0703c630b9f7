//! The files in `deploy/`, applied to a real API server as users apply them, and the rights of the service account.

mod server;
mod vectors;

use std::fs;
use std::path::{Path, PathBuf};

use ack_ram_tests::cluster::{Cluster, KubectlOutput};
use ack_ram_tests::eventually::block_until;
use serde_json::{Value, json};

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");
const MAPPINGS: &str = "ramidentitymappings.ramauthenticator.k8s.alibabacloud";
const ACCOUNT: &str = "ack-ram-authenticator";

/// Returns all files to apply, with the definition before its objects.
fn files() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(DEPLOY)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        // The configuration of the server is not a Kubernetes object.
        .filter(|path| !path.ends_with("config.yaml"))
        .collect();
    files.sort_by_key(|path| (!path.ends_with("ramidentitymapping.yaml"), path.clone()));
    files
}

#[track_caller]
fn succeed(output: KubectlOutput) -> String {
    assert!(output.success, "{}\n{}", output.stdout, output.stderr);
    // The API server warns about fields that are deprecated or have no effect. Only the warning about the old label is
    // expected.
    let mut warnings = output.stderr.lines();
    let other = warnings.find(|line| !line.contains("node-role.kubernetes.io/master"));
    assert_eq!(other, None, "{}", output.stdout);
    output.stdout
}

fn apply_everything(cluster: &Cluster) {
    let files = files();
    for name in [
        "ramidentitymapping.yaml",
        "example-ramidentitymapping.yaml",
        "example.yaml",
        "example-binding.yaml",
    ] {
        let is_there = files.iter().any(|file| file.ends_with(name));
        assert!(is_there, "deploy/{name} is missing");
    }
    for file in files {
        let name = file.to_string_lossy();
        succeed(cluster.admin_kubectl(&[
            "apply",
            "--server-side",
            "--dry-run=server",
            "--validate=strict",
            "--filename",
            &name,
        ]));
        succeed(cluster.admin_kubectl(&["apply", "--validate=strict", "--filename", &name]));
        if file.ends_with("ramidentitymapping.yaml") {
            succeed(cluster.admin_kubectl(&[
                "wait",
                "--for=condition=Established",
                "--timeout=60s",
                "--filename",
                &name,
            ]));
        }
    }
}

#[test]
fn deploy_files_apply_and_reapply_unchanged() {
    let cluster = Cluster::builder().start();
    apply_everything(&cluster);
    for file in files() {
        let name = file.to_string_lossy();
        let again =
            succeed(cluster.admin_kubectl(&["apply", "--validate=strict", "--filename", &name]));
        for line in again.lines() {
            assert!(line.ends_with(" unchanged"), "{name}: {line}");
        }
    }
    check_pod_is_accepted(&cluster);
}

/// Creates a pod from the template of the DaemonSet, because the cluster has no controller that would.
fn check_pod_is_accepted(cluster: &Cluster) {
    let daemon = succeed(cluster.admin_kubectl(&[
        "get",
        "--namespace=kube-system",
        "--output=json",
        "daemonset",
        ACCOUNT,
    ]));
    let daemon: Value = serde_json::from_str(&daemon).unwrap();
    let mut pod = daemon["spec"]["template"].clone();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!("one-of-them");
    pod["metadata"]["namespace"] = json!("kube-system");
    let file = cluster.folder().join("pod.json");
    fs::write(&file, pod.to_string()).unwrap();
    let file = file.to_string_lossy();
    let created = succeed(cluster.admin_kubectl(&[
        "create",
        "--dry-run=server",
        "--validate=strict",
        "--output=json",
        "--filename",
        &file,
    ]));
    let created: Value = serde_json::from_str(&created).unwrap();
    // The highest possible priority.
    assert_eq!(created["spec"]["priority"], 2_000_001_000);
}

/// kubectl with the service account of the DaemonSet.
struct Account<'a> {
    cluster: &'a Cluster,
    kubeconfig: PathBuf,
}

impl<'a> Account<'a> {
    fn log_in(cluster: &'a Cluster) -> Self {
        let token = succeed(cluster.admin_kubectl(&[
            "create",
            "token",
            "--namespace=kube-system",
            ACCOUNT,
        ]));
        let account = Self {
            cluster,
            kubeconfig: cluster.write_token_kubeconfig("account", token.trim()),
        };
        account.wait_for_rights();
        account
    }

    /// Waits until the bindings of `example.yaml` are in effect. The API server receives them from watches of its own.
    /// The rights checked here are from the last bindings, one in a namespace and one in the cluster.
    fn wait_for_rights(&self) {
        let last_bound = [
            "events.events.k8s.io",
            "customresourcedefinitions.apiextensions.k8s.io",
        ];
        for object in last_bound {
            let args = ["auth", "can-i", "--namespace=default", "create", object];
            block_until(object, || self.kubectl(&args).stdout.trim() == "yes");
        }
    }

    fn kubectl(&self, args: &[&str]) -> KubectlOutput {
        self.cluster.kubectl_with(&self.kubeconfig, args)
    }

    #[track_caller]
    fn check_may(&self, args: &[&str], may: bool) {
        let answer = self.kubectl(args);
        assert_eq!(answer.success, may, "{args:?}: {answer:?}");
        if !may {
            assert!(
                answer.stderr.contains("(Forbidden)"),
                "{args:?}: {answer:?}"
            );
        }
    }

    /// Checks whether RBAC allows a verb. This is for requests without a kubectl command.
    #[track_caller]
    fn check_can(&self, namespace: &str, verb: &str, object: &str, can: bool) {
        let namespace = format!("--namespace={namespace}");
        let answer = self.kubectl(&["auth", "can-i", &namespace, verb, object]);
        let said = answer.stdout.trim();
        assert_eq!(
            said,
            if can { "yes" } else { "no" },
            "{verb} {object}: {answer:?}"
        );
    }
}

#[test]
fn service_account_has_only_the_rights_that_the_server_needs() {
    let cluster = Cluster::builder().start();
    apply_everything(&cluster);
    cluster.apply(&json!({"apiVersion": "v1", "kind": "List", "items": [
        config_map("kube-system", "alibabacloud-auth"),
        config_map("kube-system", "other"),
        config_map("default", "alibabacloud-auth"),
    ]}));
    let account = Account::log_in(&cluster);
    config_maps(&account);
    leases(&account);
    events(&account);
    mappings(&account);
    for (namespace, verb, object) in [
        ("kube-system", "get", "secrets"),
        ("kube-system", "list", "pods"),
        ("kube-system", "create", "serviceaccounts/token"),
        ("kube-system", "get", "configmaps/ack-ram-authenticator"),
        ("kube-system", "get", "daemonsets.apps"),
        ("default", "list", "nodes"),
        ("default", "list", "namespaces"),
        ("default", "create", "tokenreviews.authentication.k8s.io"),
        ("default", "impersonate", "users"),
        ("default", "bind", "clusterroles.rbac.authorization.k8s.io"),
        (
            "default",
            "create",
            "clusterrolebindings.rbac.authorization.k8s.io",
        ),
    ] {
        account.check_can(namespace, verb, object, false);
    }
    definitions(&account);
}

fn config_map(namespace: &str, name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": namespace, "name": name},
    })
}

/// Checks access to the ConfigMap, including requests as an informer makes them.
fn config_maps(account: &Account<'_>) {
    let path = |rest: &str| format!("/api/v1/namespaces/{rest}");
    let named = "fieldSelector=metadata.name%3Dalibabacloud-auth";
    for (request, may) in [
        (path("kube-system/configmaps/alibabacloud-auth"), true),
        (path(&format!("kube-system/configmaps?{named}")), true),
        (
            path(&format!(
                "kube-system/configmaps?{named}&watch=true&timeoutSeconds=1"
            )),
            true,
        ),
        (path("kube-system/configmaps"), false),
        (
            path("kube-system/configmaps?watch=true&timeoutSeconds=1"),
            false,
        ),
        (path("kube-system/configmaps/other"), false),
        (path("default/configmaps/alibabacloud-auth"), false),
        (path(&format!("default/configmaps?{named}")), false),
        (format!("/api/v1/configmaps?{named}"), false),
    ] {
        account.check_may(&["get", "--raw", &request], may);
    }
    for verb in ["create", "update", "patch", "delete"] {
        account.check_can("kube-system", verb, "configmaps/alibabacloud-auth", false);
    }
}

/// Checks that the account may create its Lease and take it over, but not change other Leases.
fn leases(account: &Account<'_>) {
    let lease = |name: &str| {
        json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"namespace": "kube-system", "name": name},
            "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15},
        })
    };
    let write = |name: &str, object: &Value| -> String {
        let file = account.cluster.folder().join(name);
        fs::write(&file, object.to_string()).unwrap();
        file.to_string_lossy().into_owned()
    };
    let ours = write("lease.json", &lease(ACCOUNT));
    account.check_may(&["create", "--filename", &ours], true);
    account.check_may(&["replace", "--filename", &ours], true);
    let of = ["--namespace=kube-system", "lease"];
    account.check_may(&[&["get"][..], &of, &[ACCOUNT]].concat(), true);

    account.cluster.apply(&lease("another"));
    account.check_may(&[&["get"][..], &of, &["another"]].concat(), false);
    account.check_may(&[&["get"][..], &of].concat(), false);
    account.check_may(&[&["delete"][..], &of, &[ACCOUNT]].concat(), false);
    for (verb, name) in [("patch", ACCOUNT), ("update", "another")] {
        let lease = format!("leases.coordination.k8s.io/{name}");
        account.check_can("kube-system", verb, &lease, false);
    }
    account.check_can("default", "create", "leases.coordination.k8s.io", false);
}

/// Checks that the account may create events about mappings in `default`, and events about the ConfigMap in its
/// namespace.
fn events(account: &Account<'_>) {
    for (namespace, about) in [
        (
            "default",
            json!({"apiVersion": "ramauthenticator.k8s.alibabacloud/v1alpha1", "kind": "RAMIdentityMapping", "name": "alice"}),
        ),
        (
            "kube-system",
            json!({"apiVersion": "v1", "kind": "ConfigMap", "namespace": "kube-system", "name": "alibabacloud-auth"}),
        ),
    ] {
        let event = json!({
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"namespace": namespace, "name": "an-event"},
            "eventTime": "2026-01-02T03:04:05.000000Z",
            "reportingController": "ack-ram-authenticator",
            "reportingInstance": "node-1",
            "action": "Read",
            "reason": "Refused",
            "type": "Warning",
            "regarding": about,
        });
        let file = account.cluster.folder().join("event.json");
        fs::write(&file, event.to_string()).unwrap();
        let file = file.to_string_lossy();
        account.check_may(&["create", "--validate=false", "--filename", &file], true);
        for group in ["events", "events.events.k8s.io"] {
            for verb in ["get", "list", "watch", "update", "patch", "delete"] {
                account.check_can(namespace, verb, group, false);
            }
        }
    }
    account.check_can("kube-public", "create", "events", false);
}

/// Checks that the account may read mappings, but write only their status.
fn mappings(account: &Account<'_>) {
    let status = "--subresource=status";
    let can = |verb: &str, more: &[&str]| {
        let args = [&["auth", "can-i", verb, MAPPINGS][..], more].concat();
        let answer = account.kubectl(&args);
        answer.stdout.trim() == "yes"
    };
    for verb in ["get", "list", "watch"] {
        assert!(can(verb, &[]), "{verb}");
    }
    for verb in ["create", "update", "patch", "delete", "deletecollection"] {
        assert!(!can(verb, &[]), "{verb}");
    }
    assert!(can("patch", &[status]));
    assert!(!can("update", &[status]));
}

/// Checks that the account may create and update its CustomResourceDefinition, but no other.
fn definitions(account: &Account<'_>) {
    let ours = format!("customresourcedefinitions.apiextensions.k8s.io/{MAPPINGS}");
    let other = "customresourcedefinitions.apiextensions.k8s.io/others.example.com";
    let any = "customresourcedefinitions.apiextensions.k8s.io";
    account.check_can("default", "create", any, true);
    for verb in ["get", "patch"] {
        account.check_can("default", verb, &ours, true);
        account.check_can("default", verb, other, false);
    }
    for verb in ["update", "delete", "list", "watch"] {
        account.check_can("default", verb, &ours, false);
    }
    let crd = Path::new(DEPLOY).join("ramidentitymapping.yaml");
    account.check_may(
        &[
            "apply",
            "--server-side",
            "--force-conflicts",
            "--filename",
            &crd.to_string_lossy(),
        ],
        true,
    );
}
