//! Revocation of access by an administrator: the rows of the table in SECURITY.md that need no cluster.
//!
//! Each test proves the order of events: as soon as a change is in effect, it decides the next review, although the
//! identity comes from the cache. `host/src/authenticator/tests` tests expiration by the clock, and `cluster_mappings`
//! tests changes through the API server.

mod fixture;
mod privilege;

use ack_ram_tests::sts::demo;
use serde_json::{Value, json};

use crate::fixture::{EditedServer, alice};

fn granted(user: &str, is_hit: bool) -> (String, bool) {
    (user.to_owned(), is_hit)
}

#[track_caller]
fn assert_denied((answer, is_hit): &(String, bool), reason: &str, expected_hit: bool) {
    assert!(answer.contains(reason), "{answer}");
    assert_eq!(*is_hit, expected_hit, "{answer}");
}

/// Starts a server whose configuration file maps Alice, and whose cache contains her identity.
async fn start_with_alice(groups: &[&str]) -> EditedServer {
    let mut server = EditedServer::start(&json!({ "mapUsers": [alice(groups)] })).await;
    let user = format!("alice [{}]", groups.join(" "));
    assert_eq!(server.login().await, granted(&user, false));
    assert_eq!(server.login().await, granted(&user, true));
    server
}

#[tokio::test]
async fn mapping_deleted_from_configuration_file_denies_next_login() {
    let mut server = start_with_alice(&["ops"]).await;
    let bob = json!({ "userARN": demo::STRANGER_ARN, "username": "bob" });
    server
        .edit(|settings| settings["mapUsers"] = json!([bob]))
        .await;
    assert_denied(&server.login().await, "is not mapped", true);
}

#[tokio::test]
async fn mapping_narrowed_in_configuration_file_narrows_next_login() {
    let mut server = start_with_alice(&["ops", "system:masters"]).await;
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
    for removed in ["entry", "file"] {
        let before = server.reloads("DynamicFile").await;
        server
            .fixture
            .replace("dynamic.json", &mappings(&[alice(&["ops"]), bob.clone()]));
        server.wait_for_reloads("DynamicFile", before + 1.0).await;
        assert_eq!(server.login().await.0, "alice [ops]");
        if removed == "entry" {
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
    let mut server = start_with_alice(&["ops"]).await;
    server.fixture.sts.disable_key(&demo::user_key().id);
    assert_eq!(server.login().await, granted("alice [ops]", true));
    server.restart().await;
    assert_denied(&server.login().await, "disabled", false);
    server.fixture.sts.enable_key(&demo::user_key().id);
    assert_eq!(server.login().await, granted("alice [ops]", false));
    // A malformed entry keeps no last good form of the previous process.
    server
        .fixture
        .edit(|settings| settings["mapUsers"][0]["username"] = json!("{{NoSuchVariable}}"));
    server.restart().await;
    assert_denied(&server.login().await, "is not mapped", false);
}

#[tokio::test]
async fn settings_reloaded_forget_identities_and_apply_new_checks_to_the_cache() {
    let mut server = start_with_alice(&["ops"]).await;
    // Settings of rules apply to identities from the cache.
    let rule = json!([{ "expression": "!('ops' in user.groups)", "message": "ops is closed" }]);
    server
        .edit(|settings| settings["userValidationRules"] = rule)
        .await;
    assert_denied(&server.login().await, "ops is closed", true);
    server
        .edit(|settings| settings["userValidationRules"] = json!([]))
        .await;
    assert_eq!(server.login().await, granted("alice [ops]", true));
    // A change of settings of tokens or STS clears all identities.
    server.fixture.sts.disable_key(&demo::user_key().id);
    assert_eq!(server.login().await, granted("alice [ops]", true));
    server
        .edit(|settings| settings["sts"]["cacheTTL"] = json!("1m"))
        .await;
    assert_denied(&server.login().await, "disabled", false);
}
