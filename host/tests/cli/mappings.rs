//! `add`, `remove`, `list` and `get mappings`, as far as they come without an API server.

use crate::program::TestFolder;

const ROLE: [&str; 4] = ["add", "role", "--rolearn", "acs:ram::1:role/a"];
const USER: [&str; 4] = ["add", "user", "--userarn", "acs:ram::1:user/a"];

/// A kubeconfig without an API server: whatever is asked of it fails.
const NOWHERE: &str = "\
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]
users: [{name: u, user: {token: SECRET-TOKEN}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
";

fn folder() -> TestFolder {
    TestFolder::new(&[
        ("kubeconfig", NOWHERE),
        ("broken", "clusters: [{name: SECRET-TOKEN\n"),
        (
            "config.yaml",
            "clusterID: c\nserver:\n  reservedPrefixConfig:\n  - backendMode: ACKConfigMap\n    usernamePrefixReserveList: ['ops:']\n",
        ),
    ])
}

#[track_caller]
fn fails(args: &[&str], code: i32, says: &str) -> String {
    let run = folder().run(args, &[("KUBECONFIG", "kubeconfig")]);
    assert_eq!(
        (run.code, &*run.stdout),
        (Some(code), ""),
        "{args:?}: {run:?}"
    );
    assert!(run.stderr.contains(says), "{args:?}: {run:?}");
    assert!(!run.stderr.contains("SECRET-TOKEN"), "{args:?}: {run:?}");
    run.stderr
}

#[test]
fn a_mapping_is_checked_before_anybody_is_asked() {
    for (start, more, says) in [
        (ROLE, &["--username", ""] as &[&str], "empty"),
        (ROLE, &["--username", "{{Sesion}}"], "username"),
        (ROLE, &["--username", "a\nb"], "control character"),
        (ROLE, &["--username", "a", "--groups", "a,{{"], "groups[1]"),
        (ROLE, &["--username", "system:{{SessionName}}"], "username"),
        (ROLE, &["--username", "ops:a", "-c", "config.yaml"], "ops:"),
        (USER, &["--username", "{{RoleName}}"], "empty"),
        (
            ["add", "role", "--rolearn", "acs:ram::1:user/a"],
            &["--username", "a"],
            "no role",
        ),
        (
            ["add", "user", "--userarn", "acs:ram::1:role/a"],
            &["--username", "a"],
            "is a role",
        ),
        (
            ["add", "user", "--userarn", "alice"],
            &["--username", "a"],
            "acs:ram::",
        ),
        (
            ["add", "role", "--rolearn", "acs:ram::1:assumed-role/a/s"],
            &["--username", "a"],
            "acs:ram::1:role/a",
        ),
        (
            ["add", "role", "--rolearn", "acs:ram::1:assumed-role/a/s"],
            &["--username", "a", "--backend", "crd"],
            "names one session of a role",
        ),
        (
            ["add", "role", "--rolearn", "acs:ram::*:role/a"],
            &["--username", "a", "--backend", "crd"],
            "account",
        ),
        (ROLE, &["--username", "a", "--name", "x"], "--backend crd"),
        (ROLE, &[], "--username"),
        (ROLE, &["--username", "a", "--backend", "file"], "configmap"),
    ] {
        let told = fails(&[&start, more].concat(), 2, says);
        assert!(!told.contains("API server"), "{more:?}: {told}");
    }
}

#[test]
fn what_may_let_in_more_than_is_meant_is_warned_of() {
    for (more, says) in [
        (
            &["--username", "a", "--groups", "system:masters"] as &[&str],
            "which no RBAC rule can limit",
        ),
        (&["--username", "{{SessionName}}"], "put a prefix before it"),
    ] {
        fails(&[&ROLE, more].concat(), 1, says);
    }
    let told = fails(
        &[&ROLE, &["--username", "a:{{SessionName}}"] as &[&str]].concat(),
        1,
        "Connect",
    );
    assert!(!told.contains("WARN"), "{told}");
}

#[test]
fn an_api_server_that_cannot_be_asked_is_told_of() {
    let add = [&ROLE, &["--username", "a", "--prompt=false"] as &[&str]].concat();
    let remove = ["remove", "user", "--userarn", "acs:ram::1:user/a", "--yes"];
    let remove_object = ["remove", "--name", "x", "--yes"];
    for (args, more, says) in [
        (
            &*add,
            &[] as &[&str],
            "cannot read the ConfigMap kube-system/alibabacloud-auth",
        ),
        (
            &add,
            &["--namespace", "n", "--configmap-name", "m"],
            "cannot read the ConfigMap n/m",
        ),
        (
            &add,
            &["--backend", "CRD"],
            "cannot list RAMIdentityMapping objects",
        ),
        (&remove, &[], "cannot read the ConfigMap"),
        (&remove, &["--backend", "crd"], "cannot list"),
        (&remove_object, &[], "cannot read the object x"),
        (&["list"], &[], "cannot read the ConfigMap"),
        (&["list"], &["--backend", "crd"], "cannot list"),
        (
            &["list"],
            &["--kubeconfig", "nowhere"],
            "`nowhere` cannot be used",
        ),
        (
            &["list"],
            &["--kubeconfig", "broken"],
            "`broken` cannot be used: line 1",
        ),
        (&["list"], &["--kubeconfig-context", "y"], "y; correct it"),
        (&["list"], &["-c", "nowhere.yaml"], "nowhere.yaml"),
    ] {
        fails(&[args, more].concat(), 1, says);
    }
    fails(&["list", "--master-url", "x"], 2, "--master-url");
}

#[test]
fn whom_to_remove_must_be_said() {
    for args in [
        &["remove"] as &[&str],
        &["remove", "--name", "x", "user", "--userarn", "a"],
        &["remove", "user"],
    ] {
        fails(args, 2, "--userarn");
    }
}

#[test]
fn without_a_server_nothing_is_in_effect() {
    let check = |args: &[&str], code, says: &str| {
        fails(&[&["get", "mappings"], args].concat(), code, says);
    };
    check(&["--state-dir", "."], 1, "./control.sock");
    check(
        &["--state-dir", "nowhere", "--backend", "crd"],
        1,
        "no server runs",
    );
    check(&["--backend", "etcd"], 2, "configmap");
    fails(&["get"], 2, "mappings");
}

#[test]
fn options_may_stand_before_the_kind_as_in_go() {
    let args = [
        "add",
        "--kubeconfig",
        "kubeconfig",
        "--prompt=false",
        "-c",
        "config.yaml",
        "role",
        "--rolearn",
        "acs:ram::1:role/a",
        "--username",
        "a",
        "--groups",
        "g",
    ];
    fails(&args, 1, "cannot read the ConfigMap");
}
