//! Logins with real components: kubectl, a real API server that calls the real binary, and an STS that verifies
//! signatures.

mod certificates;
mod fixture;

use std::path::Path;
use std::time::Duration;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::review::ReviewVersion;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::callers::{CLUSTER, token_v2};
use ack_ram_tests::cluster::ExecPlugin;
use ack_ram_tests::sts::{Fault, demo};
use serde_json::{Value, json};

use crate::fixture::{LoginFixture, drop_in_plugin, own_plugin};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn v1_reviews_grant_logins() {
    check_logins(ReviewVersion::V1);
}

#[test]
fn v1beta1_reviews_grant_logins() {
    check_logins(ReviewVersion::V1Beta1);
}

fn check_logins(version: ReviewVersion) {
    let fixture = LoginFixture::start(version, key("LTAI5tEve", "eve"));
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
        check_whoami(&fixture, name, &own_plugin(&key, CLUSTER), &expected);
        check_whoami(&fixture, name, &drop_in_plugin(&key), &expected);
    }
    check_rbac_of_mapped_group(&fixture);
}

#[track_caller]
fn check_whoami(fixture: &LoginFixture, name: &str, plugin: &ExecPlugin, expected: &Value) {
    let kubeconfig = fixture.cluster.write_kubeconfig(name, plugin);
    let args = ["auth", "whoami", "--output=json"];
    let answer = fixture.cluster.kubectl_with(&kubeconfig, &args);
    let args = &plugin.args;
    assert!(
        answer.success,
        "{args:?}: {}\n{}",
        answer.stderr,
        fixture.server.log()
    );
    let review: Value = serde_json::from_str(&answer.stdout).unwrap();
    let mut user = review["status"]["userInfo"].clone();
    // The API server adds an identifier of the credential in newer versions.
    if let Some(extra) = user["extra"].as_object_mut() {
        extra.remove("authentication.kubernetes.io/credential-id");
    }
    assert_eq!(&user, expected, "{args:?}");
}

fn check_rbac_of_mapped_group(fixture: &LoginFixture) {
    let plugin = own_plugin(&demo::user_key(), CLUSTER);
    let kubeconfig = fixture.cluster.write_kubeconfig("rbac", &plugin);
    for (resource, allowed) in [("configmaps", true), ("secrets", false)] {
        let answer = fixture
            .cluster
            .kubectl_with(&kubeconfig, &["get", resource]);
        assert_eq!(answer.success, allowed, "{resource}: {}", answer.stderr);
        let forbidden = answer
            .stderr
            .contains(r#"User "alice" cannot list resource"#);
        assert_eq!(forbidden, !allowed, "{resource}: {}", answer.stderr);
    }
}

#[test]
fn denial_reason_is_in_both_logs() {
    let stranger = key("LTAI5tEve", "eve");
    let deleted = key("LTAI5tGone", "gone");
    let wrong = AccessKey {
        secret: Secret::new("not-the-secret-of-alice"),
        ..demo::user_key()
    };
    let mut fixture = LoginFixture::start(ReviewVersion::V1Beta1, stranger.clone());
    for (name, plugin, reason) in [
        (
            "cluster",
            own_plugin(&demo::user_key(), "c-another"),
            "the token is for cluster `c-another`",
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
        let kubeconfig = fixture.cluster.write_kubeconfig(name, &plugin);
        check_refused(&mut fixture, &kubeconfig, reason);
    }
    let past = fixture.server.sts.now().plus_seconds(-3600);
    let old = token_v2(&demo::user_key(), past);
    let kubeconfig = fixture
        .cluster
        .write_token_kubeconfig("expired", old.expose());
    check_refused(&mut fixture, &kubeconfig, "has expired");

    let log = fixture.server.log();
    for secret in [
        old.expose(),
        wrong.secret.expose(),
        demo::user_key().secret.expose(),
    ] {
        assert!(!log.contains(secret), "a secret is in the log:\n{log}");
    }
}

#[test]
fn login_without_sts_fails_soon_with_reason() {
    let mut fixture =
        LoginFixture::with_deadline(ReviewVersion::V1Beta1, key("LTAI5tEve", "eve"), "6s");
    let plugin = own_plugin(&demo::user_key(), CLUSTER);
    let kubeconfig = fixture.cluster.write_kubeconfig("down", &plugin);
    for (fault, reason) in [
        (Fault::CloseOnAccept, "STS could not be reached"),
        (Fault::Hang, "STS did not answer in time"),
        (Fault::ThrottleUser, "Throttling.User"),
        (Fault::Garbage, "STS returned a malformed reply"),
    ] {
        fixture.server.sts.set_fault(Some(fault));
        check_refused(&mut fixture, &kubeconfig, reason);
    }
    // The failures have no lasting effect.
    fixture.server.sts.set_fault(None);
    let answer = fixture
        .cluster
        .kubectl_with(&kubeconfig, &["get", "configmaps"]);
    assert!(answer.success, "{}", answer.stderr);
}

/// Checks that the login is denied before kubectl times out, and that both logs have the reason.
#[track_caller]
fn check_refused(fixture: &mut LoginFixture, kubeconfig: &Path, reason: &str) {
    // An API server that retried would need 30 seconds.
    let args = ["get", "configmaps", "--request-timeout=20s"];
    let answer = fixture.cluster.kubectl_with(kubeconfig, &args);
    assert!(!answer.success, "{reason}: {}", answer.stdout);
    let refused = answer
        .stderr
        .contains("You must be logged in to the server");
    assert!(refused, "{reason}: {}", answer.stderr);
    fixture
        .cluster
        .wait_for_apiserver_log(|line| line.contains(reason), LONG);
    let logged = fixture
        .server
        .server_mut()
        .wait_for_log(|line| line.contains(reason), LONG);
    logged.unwrap_or_else(|error| panic!("{reason}: {error}"));
}

/// Returns a key that STS does not know, unless the test adds it to the emulator.
fn key(id: &str, secret: &str) -> AccessKey {
    AccessKey {
        id: AccessKeyId::parse(id).unwrap(),
        secret: Secret::new(secret),
        security_token: None,
    }
}
