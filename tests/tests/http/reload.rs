//! Settings that change while the server runs, by an edit or by SIGHUP.

use std::fs;

use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::sts::{Emulator, demo};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::fixture::start;

fn other_sts(fixture: &Fixture) -> Emulator {
    let other = Emulator::builder().demo().start().unwrap();
    let both = format!("{}{}", fixture.sts.ca_pem(), other.ca_pem());
    fs::write(fixture.path("sts-ca.pem"), both).unwrap();
    other
}

#[tokio::test]
async fn sighup_applies_hot_reloadable_settings_and_names_the_rest() {
    let mut fixture = start(&json!({}), &json!({}));
    let token = fixture.token();
    for _ in 0..2 {
        let reply = fixture.review(&token).await;
        assert_eq!(reply.body["status"]["user"]["username"], "alice");
    }
    assert_eq!(fixture.sts.requests().len(), 1);
    let other = other_sts(&fixture);
    fixture.edit(|server| {
        server["sts"]["endpoint"] = other.url().into();
        server["mapUsers"] = json!([{ "userARN": demo::USER_ARN, "username": "bob" }]);
        server["port"] = 1.into();
        server["limits"]["maxStreams"] = 7.into();
    });
    fixture.signal(Signal::SIGHUP);
    fixture
        .wait_for_log("`server.sts.endpoint` changed and is in effect")
        .await;
    fixture
        .wait_for_log("`server.port`, `server.limits.maxStreams`")
        .await;
    fixture.wait_for_log("reloaded: the configuration is").await;
    let reply = fixture.review(&token).await;
    assert_eq!(reply.body["status"]["user"]["username"], "bob");
    assert_eq!(
        (fixture.sts.requests().len(), other.requests().len()),
        (1, 1)
    );

    fixture.signal(Signal::SIGHUP);
    fixture
        .wait_for_log("reloaded: the configuration is unchanged")
        .await;
    fixture.review(&token).await;
    assert_eq!(other.requests().len(), 1, "the token is cached");
}

#[tokio::test]
async fn malformed_file_changes_nothing() {
    let mut fixture = start(&json!({}), &json!({}));
    let good = fs::read(fixture.path("config.yaml")).unwrap();
    let ca = fs::read(fixture.path("sts-ca.pem")).unwrap();
    let mut bad_setting: Value = serde_json::from_slice(&good).unwrap();
    bad_setting["server"]["sts"]["timeout"] = 1.into();
    for broken in ["{".to_owned(), bad_setting.to_string()] {
        fs::write(fixture.path("config.yaml"), broken).unwrap();
        // The second signal finds the same file.
        for _ in 0..2 {
            fixture.signal(Signal::SIGHUP);
            let line = fixture
                .wait_for_log("invalid configuration; the previous one stays in effect")
                .await;
            assert!(line.contains("config.yaml:"), "{line}");
            assert!(fixture.alice_is_granted().await);
        }
    }
    fs::write(fixture.path("config.yaml"), good).unwrap();
    fixture.signal(Signal::SIGHUP);
    fixture.wait_for_log("reloaded: the configuration is").await;

    fs::write(fixture.path("sts-ca.pem"), "no certificate").unwrap();
    for _ in 0..2 {
        fixture.signal(Signal::SIGHUP);
        fixture
            .wait_for_log("the previous STS settings stay in effect")
            .await;
        assert!(fixture.alice_is_granted().await);
    }
    assert!(
        fixture.log().contains("contains no certificate"),
        "{}",
        fixture.log()
    );
    fs::write(fixture.path("sts-ca.pem"), ca).unwrap();
    fixture.signal(Signal::SIGHUP);
    fixture
        .wait_for_log("reloaded: the configuration is unchanged")
        .await;
}

#[tokio::test]
async fn mapping_deleted_with_an_invalid_setting_has_no_effect() {
    let mut fixture = start(&json!({}), &json!({}));
    assert!(fixture.alice_is_granted().await);
    let broken = "clusterID: c\nserver: {sts: {timeout: 1}}\n";
    fs::write(fixture.path("config.yaml"), broken).unwrap();
    fixture.signal(Signal::SIGHUP);
    fixture
        .wait_for_log("invalid configuration; the previous one stays in effect")
        .await;
    assert!(!fixture.alice_is_granted().await);
}

/// The invalid setting may be the one that should check the new username or end the protection.
#[tokio::test]
async fn invalid_setting_blocks_new_username_but_not_narrowed_protection() {
    let mut fixture = start(&json!({}), &json!({}));
    let mapping = json!({ "userARN": demo::USER_ARN, "username": "alice", "groups": ["ops"] });
    fixture.edit(|server| {
        server["mapUsers"] = json!([mapping]);
        server["protect"] = json!([demo::USER_ARN]);
    });
    fixture.signal(Signal::SIGHUP);
    fixture.wait_for_log("reloaded: the configuration is").await;
    let reply = fixture.review(&fixture.token()).await;
    assert_eq!(reply.body["status"]["user"]["groups"], json!(["ops"]));

    let bad_rule = json!([{ "expression": "user.username.endsWith('@corp')", "mesage": "no" }]);
    fixture.edit(|server| {
        server["mapUsers"][0]["groups"] = json!([]);
        server["userValidationRules"] = bad_rule.clone();
    });
    fixture.signal(Signal::SIGHUP);
    fixture
        .wait_for_log("invalid configuration; the previous one stays in effect")
        .await;
    let reply = fixture.review(&fixture.token()).await;
    assert_eq!(reply.body["status"]["authenticated"], true);
    assert!(!reply.body.to_string().contains("ops"), "{reply:?}");

    fixture.edit(|server| server["mapUsers"][0]["username"] = "mallory".into());
    fixture.signal(Signal::SIGHUP);
    fixture
        .wait_for_log("invalid configuration; the previous one stays in effect")
        .await;
    assert!(!fixture.alice_is_granted().await);
}

#[tokio::test]
async fn edits_and_sts_ca_file_take_effect_without_signal() {
    let mut fixture = start(&json!({}), &json!({}));
    assert!(fixture.alice_is_granted().await);
    let other = Emulator::builder().demo().start().unwrap();
    fixture.edit(|server| server["sts"]["endpoint"] = other.url().into());
    fixture
        .wait_for_log("`server.sts.endpoint` changed and is in effect")
        .await;
    let reply = fixture.review(&fixture.token()).await;
    assert_eq!(
        reply.status, 503,
        "the certificate of the new endpoint is trusted: {reply:?}"
    );
    fs::write(fixture.path("sts-ca.pem"), other.ca_pem()).unwrap();
    fixture
        .wait_for_log("`server.sts.caFile` changed and is in effect")
        .await;
    assert!(fixture.alice_is_granted().await);
    fixture.edit(|server| {
        server["sts"]["caFile"] = fixture.path("other-ca.pem").display().to_string().into();
    });
    let line = fixture
        .wait_for_log("the previous STS settings stay in effect until then")
        .await;
    assert!(line.contains("other-ca.pem"), "{line}");
    assert!(fixture.alice_is_granted().await);
    fs::copy(fixture.path("sts-ca.pem"), fixture.path("other-ca.pem")).unwrap();
    fixture
        .wait_for_log("`server.sts.caFile` changed and is in effect")
        .await;
    assert!(fixture.alice_is_granted().await);
    assert_eq!(fixture.sts.requests().len(), 1);
}
