//! When access ends after an administrator took it away: the rows of the table in SECURITY.md that need no cluster.
//!
//! Each test proves the order of events: once a change is in effect, the next review is decided by it, although the
//! identity comes from the cache. Times by the clock are tested in `host/src/authenticator/tests`, and what
//! the API server confirms in `cluster_mappings`.

mod fixture;
mod privilege;

use ack_ram_tests::sts::demo;
use serde_json::{Value, json};

use crate::fixture::{EditedServer, alice};

fn granted(user: &str, is_hit: bool) -> (String, bool) {
    (user.to_owned(), is_hit)
}

#[track_caller]
fn assert_denied((answer, is_hit): &(String, bool), why: &str, expected_hit: bool) {
    assert!(answer.contains(why), "{answer}");
    assert_eq!(*is_hit, expected_hit, "{answer}");
}

/// A server that maps Alice by its configuration file, and has her in its cache.
async fn mapped_by_the_file(groups: &[&str]) -> EditedServer {
    let mut server = EditedServer::start(&json!({ "mapUsers": [alice(groups)] })).await;
    let user = format!("alice [{}]", groups.join(" "));
    assert_eq!(server.login().await, granted(&user, false));
    assert_eq!(server.login().await, granted(&user, true));
    server
}

#[tokio::test]
async fn mapping_deleted_from_configuration_file_denies_next_login() {
    let mut server = mapped_by_the_file(&["ops"]).await;
    let bob = json!({ "userARN": demo::STRANGER_ARN, "username": "bob" });
    server
        .edit(|settings| settings["mapUsers"] = json!([bob]))
        .await;
    assert_denied(&server.login().await, "is not mapped", true);
}

#[tokio::test]
async fn mapping_narrowed_in_configuration_file_narrows_next_login() {
    let mut server = mapped_by_the_file(&["ops", "system:masters"]).await;
    server
        .edit(|settings| settings["mapUsers"] = json!([alice(&["ops"])]))
        .await;
    assert_eq!(server.login().await, granted("alice [ops]", true));
}

#[tokio::test]
async fn mapping_deleted_from_or_with_dynamic_file_denies_next_login() {
    let settings =
        |path: &Value| json!({ "backendMode": ["DynamicFile"], "dynamicFilePath": path });
    let mappings = |entries: &[Value]| json!({ "mapUsers": entries }).to_string();
    let mut server = EditedServer::start(&settings(&json!("dynamic.json"))).await;
    let bob = json!({ "userARN": demo::STRANGER_ARN, "username": "bob", "groups": [] });
    for ends in ["entry", "file"] {
        let before = server.reloads("DynamicFile").await;
        server
            .fixture
            .replace("dynamic.json", &mappings(&[alice(&["ops"]), bob.clone()]));
        server.wait_for_reloads("DynamicFile", before + 1.0).await;
        assert_eq!(server.login().await.0, "alice [ops]");
        if ends == "entry" {
            server
                .fixture
                .replace("dynamic.json", &mappings(std::slice::from_ref(&bob)));
            server.wait_for_reloads("DynamicFile", before + 2.0).await;
        } else {
            std::fs::remove_file(server.fixture.path("dynamic.json")).unwrap();
            let labels = [("backend", "DynamicFile")];
            server
                .wait_for_metric("backend_trouble", &labels, 1.0)
                .await;
        }
        assert_denied(&server.login().await, "is not mapped", true);
    }
}

#[tokio::test]
async fn server_restarted_remembers_neither_identities_nor_old_mappings() {
    let mut server = mapped_by_the_file(&["ops"]).await;
    server.fixture.sts.disable_key(&demo::user_key().id);
    assert_eq!(server.login().await, granted("alice [ops]", true));
    server.restart().await;
    assert_denied(&server.login().await, "disabled", false);
    server.fixture.sts.enable_key(&demo::user_key().id);
    assert_eq!(server.login().await, granted("alice [ops]", false));
    // A broken entry keeps nothing that another process had in effect.
    server
        .fixture
        .edit(|settings| settings["mapUsers"][0]["username"] = json!("{{NoSuchVariable}}"));
    server.restart().await;
    assert_denied(&server.login().await, "is not mapped", false);
}

#[tokio::test]
async fn settings_reloaded_forget_identities_and_apply_new_checks_to_the_cache() {
    let mut server = mapped_by_the_file(&["ops"]).await;
    // Settings about rules are applied to identities from the cache.
    let rule = json!([{ "expression": "!('ops' in user.groups)", "message": "ops is closed" }]);
    server
        .edit(|settings| settings["userValidationRules"] = rule)
        .await;
    assert_denied(&server.login().await, "ops is closed", true);
    server
        .edit(|settings| settings["userValidationRules"] = json!([]))
        .await;
    assert_eq!(server.login().await, granted("alice [ops]", true));
    // Settings about tokens and STS forget all identities.
    server.fixture.sts.disable_key(&demo::user_key().id);
    assert_eq!(server.login().await, granted("alice [ops]", true));
    server
        .edit(|settings| settings["sts"]["cacheTTL"] = json!("1m"))
        .await;
    assert_denied(&server.login().await, "disabled", false);
}
