//! When access ends after an administrator took it away: the rows of the table in SECURITY.md that need no cluster.
//!
//! Each test proves the order of events: once a change is in effect, the next review is decided by it, although the
//! identity comes from the cache. Times by the clock are tested in `host/src/authenticator/tests`, and what
//! the API server confirms in `cluster_mappings`.

mod fixture;
mod privilege;

use ack_ram_tests::sts::demo;
use serde_json::{Value, json};

use crate::fixture::{Fixture, alice};

fn granted(user: &str, is_hit: bool) -> (String, bool) {
    (user.to_owned(), is_hit)
}

#[track_caller]
fn assert_denied((answer, is_hit): &(String, bool), why: &str, expected_hit: bool) {
    assert!(answer.contains(why), "{answer}");
    assert_eq!(*is_hit, expected_hit, "{answer}");
}

/// A server that maps Alice by its configuration file, and has her in its cache.
async fn mapped_by_the_file(groups: &[&str]) -> Fixture {
    let mut fixture = Fixture::start(&json!({ "mapUsers": [alice(groups)] })).await;
    let user = format!("alice [{}]", groups.join(" "));
    assert_eq!(fixture.login().await, granted(&user, false));
    assert_eq!(fixture.login().await, granted(&user, true));
    fixture
}

#[tokio::test]
async fn mapping_deleted_from_the_configuration_file() {
    let mut fixture = mapped_by_the_file(&["ops"]).await;
    let bob = json!({ "userARN": demo::STRANGER_ARN, "username": "bob" });
    fixture
        .edit(|server| server["mapUsers"] = json!([bob]))
        .await;
    assert_denied(&fixture.login().await, "is not mapped", true);
}

#[tokio::test]
async fn mapping_narrowed_in_the_configuration_file() {
    let mut fixture = mapped_by_the_file(&["ops", "system:masters"]).await;
    fixture
        .edit(|server| server["mapUsers"] = json!([alice(&["ops"])]))
        .await;
    assert_eq!(fixture.login().await, granted("alice [ops]", true));
}

#[tokio::test]
async fn mapping_deleted_from_or_with_the_dynamic_file() {
    let settings =
        |path: &Value| json!({ "backendMode": ["DynamicFile"], "dynamicFilePath": path });
    let mappings = |entries: &[Value]| json!({ "mapUsers": entries }).to_string();
    let mut fixture = Fixture::start(&settings(&json!("dynamic.json"))).await;
    let bob = json!({ "userARN": demo::STRANGER_ARN, "username": "bob", "groups": [] });
    for ends in ["entry", "file"] {
        let before = fixture.reloads("DynamicFile").await;
        fixture.replace("dynamic.json", &mappings(&[alice(&["ops"]), bob.clone()]));
        fixture.wait_for_reloads("DynamicFile", before + 1.0).await;
        assert_eq!(fixture.login().await.0, "alice [ops]");
        if ends == "entry" {
            fixture.replace("dynamic.json", &mappings(std::slice::from_ref(&bob)));
            fixture.wait_for_reloads("DynamicFile", before + 2.0).await;
        } else {
            std::fs::remove_file(fixture.path("dynamic.json")).unwrap();
            let labels = [("backend", "DynamicFile")];
            fixture
                .wait_for_metric("backend_trouble", &labels, 1.0)
                .await;
        }
        assert_denied(&fixture.login().await, "is not mapped", true);
    }
}

#[tokio::test]
async fn server_restarted_remembers_neither_identities_nor_old_mappings() {
    let mut fixture = mapped_by_the_file(&["ops"]).await;
    fixture.sts.disable_key(&demo::user_key().id);
    assert_eq!(fixture.login().await, granted("alice [ops]", true));
    fixture.restart().await;
    assert_denied(&fixture.login().await, "disabled", false);
    fixture.sts.enable_key(&demo::user_key().id);
    assert_eq!(fixture.login().await, granted("alice [ops]", false));
    // A broken entry keeps nothing that another process had in effect.
    fixture.write(|server| server["mapUsers"][0]["username"] = json!("{{NoSuchVariable}}"));
    fixture.restart().await;
    assert_denied(&fixture.login().await, "is not mapped", false);
}

#[tokio::test]
async fn settings_reloaded_forget_identities_and_apply_new_checks_to_the_cache() {
    let mut fixture = mapped_by_the_file(&["ops"]).await;
    // Settings about rules are applied to identities from the cache.
    let rule = json!([{ "expression": "!('ops' in user.groups)", "message": "ops is closed" }]);
    fixture
        .edit(|server| server["userValidationRules"] = rule)
        .await;
    assert_denied(&fixture.login().await, "ops is closed", true);
    fixture
        .edit(|server| server["userValidationRules"] = json!([]))
        .await;
    assert_eq!(fixture.login().await, granted("alice [ops]", true));
    // Settings about tokens and STS forget all identities.
    fixture.sts.disable_key(&demo::user_key().id);
    assert_eq!(fixture.login().await, granted("alice [ops]", true));
    fixture
        .edit(|server| server["sts"]["cacheTTL"] = json!("1m"))
        .await;
    assert_denied(&fixture.login().await, "disabled", false);
}
