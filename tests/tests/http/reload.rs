//! Settings that change while the server runs: by an edit, and by SIGHUP.

use std::fs;

use ack_ram_tests::sts::{Emulator, demo};
use serde_json::{Value, json};

use crate::world::World;

fn other_sts(world: &World) -> Emulator {
    let other = Emulator::builder().demo().start().unwrap();
    let both = format!("{}{}", world.sts.ca_pem(), other.ca_pem());
    fs::write(world.path("sts-ca.pem"), both).unwrap();
    other
}

#[tokio::test]
async fn on_sighup_all_that_can_change_is_in_effect_at_once_and_the_rest_is_named() {
    let mut world = World::start(&json!({}), &json!({}));
    let token = world.token();
    for _ in 0..2 {
        let reply = world.review(&token).await;
        assert_eq!(reply.body["status"]["user"]["username"], "alice");
    }
    assert_eq!(world.sts.requests().len(), 1);
    let other = other_sts(&world);
    world.edit(|server| {
        server["sts"]["endpoint"] = other.url().into();
        server["mapUsers"] = json!([{ "userARN": demo::USER_ARN, "username": "bob" }]);
        server["port"] = 1.into();
        server["limits"]["maxStreams"] = 7.into();
    });
    world.hang_up();
    world
        .wait_for_log("`server.sts.endpoint` changed, and is in effect")
        .await;
    world
        .wait_for_log("`server.port`, `server.limits.maxStreams`")
        .await;
    world.wait_for_log("reloaded: the configuration is").await;
    let reply = world.review(&token).await;
    assert_eq!(reply.body["status"]["user"]["username"], "bob");
    assert_eq!((world.sts.requests().len(), other.requests().len()), (1, 1));

    world.hang_up();
    world
        .wait_for_log("reloaded: the configuration is as it was")
        .await;
    world.review(&token).await;
    assert_eq!(other.requests().len(), 1, "it is remembered");
}

#[tokio::test]
async fn a_file_that_is_broken_changes_nothing() {
    let mut world = World::start(&json!({}), &json!({}));
    let good = fs::read(world.path("config.yaml")).unwrap();
    let ca = fs::read(world.path("sts-ca.pem")).unwrap();
    let mut bad_setting: Value = serde_json::from_slice(&good).unwrap();
    bad_setting["server"]["sts"]["timeout"] = 1.into();
    for broken in ["{".to_owned(), bad_setting.to_string()] {
        fs::write(world.path("config.yaml"), broken).unwrap();
        // The second time, nothing has changed.
        for _ in 0..2 {
            world.hang_up();
            let said = world
                .wait_for_log("the configuration is refused, and what was in effect stays")
                .await;
            assert!(said.contains("config.yaml:"), "{said}");
            assert!(world.alice_logs_in().await);
        }
    }
    fs::write(world.path("config.yaml"), good).unwrap();
    world.hang_up();
    world.wait_for_log("reloaded: the configuration is").await;

    fs::write(world.path("sts-ca.pem"), "no certificate").unwrap();
    for _ in 0..2 {
        world.hang_up();
        world.wait_for_log("settings about STS are as before").await;
        assert!(world.alice_logs_in().await);
    }
    assert!(
        world.log().contains("holds no certificate"),
        "{}",
        world.log()
    );
    fs::write(world.path("sts-ca.pem"), ca).unwrap();
    world.hang_up();
    world
        .wait_for_log("reloaded: the configuration is as it was")
        .await;
}

#[tokio::test]
async fn mapping_that_is_deleted_beside_a_bad_setting_is_gone() {
    let mut world = World::start(&json!({}), &json!({}));
    assert!(world.alice_logs_in().await);
    let broken = "clusterID: c\nserver: {sts: {timeout: 1}}\n";
    fs::write(world.path("config.yaml"), broken).unwrap();
    world.hang_up();
    world
        .wait_for_log("the configuration is refused, and what was in effect stays")
        .await;
    assert!(!world.alice_logs_in().await);
}

/// The setting that cannot be read may be the one that is meant to check the new name, or to end the protection.
#[tokio::test]
async fn new_username_beside_a_bad_setting_is_not_in_effect_and_a_narrowed_protection_narrows() {
    let mut world = World::start(&json!({}), &json!({}));
    let mapping = json!({ "userARN": demo::USER_ARN, "username": "alice", "groups": ["ops"] });
    world.edit(|server| {
        server["mapUsers"] = json!([mapping]);
        server["protect"] = json!([demo::USER_ARN]);
    });
    world.hang_up();
    world.wait_for_log("reloaded: the configuration is").await;
    let reply = world.review(&world.token()).await;
    assert_eq!(reply.body["status"]["user"]["groups"], json!(["ops"]));

    let bad_rule = json!([{ "expression": "user.username.endsWith('@corp')", "mesage": "no" }]);
    world.edit(|server| {
        server["mapUsers"][0]["groups"] = json!([]);
        server["userValidationRules"] = bad_rule.clone();
    });
    world.hang_up();
    world
        .wait_for_log("the configuration is refused, and what was in effect stays")
        .await;
    let reply = world.review(&world.token()).await;
    assert_eq!(reply.body["status"]["authenticated"], true);
    assert!(!reply.body.to_string().contains("ops"), "{reply:?}");

    world.edit(|server| server["mapUsers"][0]["username"] = "mallory".into());
    world.hang_up();
    world
        .wait_for_log("the configuration is refused, and what was in effect stays")
        .await;
    assert!(!world.alice_logs_in().await);
}

#[tokio::test]
async fn edits_take_effect_without_a_signal_and_so_does_the_file_of_certificates() {
    let mut world = World::start(&json!({}), &json!({}));
    assert!(world.alice_logs_in().await);
    let other = Emulator::builder().demo().start().unwrap();
    world.edit(|server| server["sts"]["endpoint"] = other.url().into());
    world
        .wait_for_log("`server.sts.endpoint` changed, and is in effect")
        .await;
    let reply = world.review(&world.token()).await;
    assert_eq!(
        reply.status, 503,
        "its certificate is not trusted: {reply:?}"
    );
    fs::write(world.path("sts-ca.pem"), other.ca_pem()).unwrap();
    world
        .wait_for_log("`server.sts.caFile` changed, and is in effect")
        .await;
    assert!(world.alice_logs_in().await);
    world.edit(|server| {
        server["sts"]["caFile"] = world.path("other-ca.pem").display().to_string().into();
    });
    let said = world
        .wait_for_log("until then STS is asked as before")
        .await;
    assert!(said.contains("other-ca.pem"), "{said}");
    assert!(world.alice_logs_in().await);
    fs::copy(world.path("sts-ca.pem"), world.path("other-ca.pem")).unwrap();
    world
        .wait_for_log("`server.sts.caFile` changed, and is in effect")
        .await;
    assert!(world.alice_logs_in().await);
    assert_eq!(world.sts.requests().len(), 1);
}
