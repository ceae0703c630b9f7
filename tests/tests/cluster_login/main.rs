//! Logins with real parts: kubectl, a real API server that asks the real binary, and an STS that
//! verifies signatures.

mod certificates;
mod world;

use std::path::Path;
use std::time::Duration;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::review::ReviewVersion;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_tests::cluster::ExecPlugin;
use ack_ram_tests::sts::{Fault, demo};
use serde_json::{Value, json};

use crate::world::{CLUSTER, World, drop_in_plugin, own_plugin};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn people_log_in_with_v1_reviews() {
    people_log_in(ReviewVersion::V1);
}

#[test]
fn people_log_in_with_v1beta1_reviews() {
    people_log_in(ReviewVersion::V1Beta1);
}

fn people_log_in(version: ReviewVersion) {
    let world = World::start(version, key("LTAI5tEve", "eve"));
    let alice = json!({
        "username": "alice",
        "uid": "ack-ram-authenticator:1234567890123456:200000000000000001",
        "groups": ["developers", "system:authenticated"],
        "extra": {
            "arn": [demo::USER_ARN],
            "canonicalArn": [demo::USER_ARN],
            "sessionName": [""],
        },
    });
    let session = json!({
        "username": "dev:alice-example.com",
        "uid": "ack-ram-authenticator:1234567890123456:300000000000000001",
        "groups": ["sessions", "account-1234567890123456", "system:authenticated"],
        "extra": {
            "arn": [demo::SESSION_ARN],
            "canonicalArn": [demo::ROLE_ARN],
            "sessionName": ["alice@example.com"],
        },
    });
    let account = json!({
        "username": demo::ROOT_ARN,
        "uid": "ack-ram-authenticator:1234567890123456:1234567890123456",
        "groups": ["system:authenticated"],
        "extra": {
            "arn": [demo::ROOT_ARN],
            "canonicalArn": [demo::ROOT_ARN],
            "sessionName": [""],
        },
    });
    for (name, key, expected) in [
        ("user", demo::user_key(), alice),
        ("role", demo::session_key(), session),
        ("account", demo::root_key(), account),
    ] {
        check_whoami(&world, name, &own_plugin(&key, CLUSTER), &expected);
        check_whoami(&world, name, &drop_in_plugin(&key), &expected);
    }
    rbac_speaks_of_the_mapped_group(&world);
}

#[track_caller]
fn check_whoami(world: &World, name: &str, plugin: &ExecPlugin, expected: &Value) {
    let kubeconfig = world.cluster.write_kubeconfig(name, plugin);
    let args = ["auth", "whoami", "--output=json"];
    let answer = world.cluster.kubectl_with(&kubeconfig, &args);
    let args = &plugin.args;
    assert!(
        answer.success,
        "{args:?}: {}\n{}",
        answer.stderr,
        world.authenticator.log()
    );
    let review: Value = serde_json::from_str(&answer.stdout).unwrap();
    let mut user = review["status"]["userInfo"].clone();
    // Which credential it was, in the API server's own words; newer versions add it.
    if let Some(extra) = user["extra"].as_object_mut() {
        extra.remove("authentication.kubernetes.io/credential-id");
    }
    assert_eq!(&user, expected, "{args:?}");
}

fn rbac_speaks_of_the_mapped_group(world: &World) {
    let plugin = own_plugin(&demo::user_key(), CLUSTER);
    let kubeconfig = world.cluster.write_kubeconfig("rbac", &plugin);
    for (resource, allowed) in [("configmaps", true), ("secrets", false)] {
        let answer = world.cluster.kubectl_with(&kubeconfig, &["get", resource]);
        assert_eq!(answer.success, allowed, "{resource}: {}", answer.stderr);
        let forbidden = answer
            .stderr
            .contains(r#"User "alice" cannot list resource"#);
        assert_eq!(forbidden, !allowed, "{resource}: {}", answer.stderr);
    }
}

#[test]
fn each_denial_says_why_in_both_logs() {
    let stranger = key("LTAI5tEve", "eve");
    let deleted = key("LTAI5tGone", "gone");
    let wrong = AccessKey {
        secret: Secret::new("not-the-secret-of-alice"),
        ..demo::user_key()
    };
    let mut world = World::start(ReviewVersion::V1Beta1, stranger.clone());
    for (name, plugin, reason) in [
        (
            "cluster",
            own_plugin(&demo::user_key(), "c-another"),
            "made for cluster `c-another`",
        ),
        (
            "secret",
            own_plugin(&wrong, CLUSTER),
            "SignatureDoesNotMatch",
        ),
        (
            "deleted",
            own_plugin(&deleted, CLUSTER),
            "InvalidAccessKeyId.NotFound",
        ),
        ("unmapped", own_plugin(&stranger, CLUSTER), "user/eve"),
    ] {
        let kubeconfig = world.cluster.write_kubeconfig(name, &plugin);
        check_refused(&mut world, &kubeconfig, reason);
    }
    let past = world.sts.now().plus_seconds(-3600);
    let cluster = ClusterId::parse(CLUSTER).unwrap();
    let old = sign::sign_token_v2(&demo::user_key(), &cluster, "test", past).unwrap();
    let kubeconfig = world
        .cluster
        .write_token_kubeconfig("expired", old.expose());
    check_refused(&mut world, &kubeconfig, "has expired");

    let log = world.authenticator.log();
    for secret in [
        old.expose(),
        wrong.secret.expose(),
        demo::user_key().secret.expose(),
    ] {
        assert!(!log.contains(secret), "a secret is in the log:\n{log}");
    }
}

#[test]
fn without_sts_a_login_fails_soon_and_says_why() {
    let mut world = World::with_deadline(ReviewVersion::V1Beta1, key("LTAI5tEve", "eve"), "6s");
    let plugin = own_plugin(&demo::user_key(), CLUSTER);
    let kubeconfig = world.cluster.write_kubeconfig("down", &plugin);
    for (fault, reason) in [
        (Fault::CloseOnAccept, "STS could not be reached"),
        (Fault::Hang, "STS did not answer in time"),
        (Fault::ThrottleUser, "Throttling.User"),
        (Fault::Garbage, "STS's answer was not understood"),
    ] {
        world.sts.set_fault(Some(fault));
        check_refused(&mut world, &kubeconfig, reason);
    }
    // Nothing of it lasts.
    world.sts.set_fault(None);
    let answer = world
        .cluster
        .kubectl_with(&kubeconfig, &["get", "configmaps"]);
    assert!(answer.success, "{}", answer.stderr);
}

/// The login is refused before kubectl's patience ends, and both logs tell the reason.
#[track_caller]
fn check_refused(world: &mut World, kubeconfig: &Path, reason: &str) {
    // An API server that tried again and again would need 30 seconds.
    let args = ["get", "configmaps", "--request-timeout=20s"];
    let answer = world.cluster.kubectl_with(kubeconfig, &args);
    assert!(!answer.success, "{reason}: {}", answer.stdout);
    let refused = answer
        .stderr
        .contains("You must be logged in to the server");
    assert!(refused, "{reason}: {}", answer.stderr);
    world
        .cluster
        .wait_for_apiserver_log(|line| line.contains(reason), LONG);
    let logged = world
        .authenticator
        .wait_for_log(|line| line.contains(reason), LONG);
    logged.unwrap_or_else(|error| panic!("{reason}: {error}"));
}

/// A key of nobody, unless the emulator is told.
fn key(id: &str, secret: &str) -> AccessKey {
    AccessKey {
        id: AccessKeyId::parse(id).unwrap(),
        secret: Secret::new(secret),
        security_token: None,
    }
}
