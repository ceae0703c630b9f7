//! The log and `/readyz` when files of mappings change.

use std::fs;
use std::path::PathBuf;

use ack_ram_tests::sts::{Emulator, demo};
use serde_json::{Value, json};

use crate::plan::{Plan, replace};
use crate::server::Server;

/// Parts of the log lines about a configuration file that is malformed as a whole.
const REFUSED: [&str; 3] = [
    "invalid document",
    "entry=server.mapRoles",
    "entry=server.mapUsers",
];

pub(crate) async fn edit_configuration() {
    let mut server = Plan::new().start();
    server.lines_so_far(&["listening on"]).await;
    server.settle().await;
    server.lines_so_far(&[]).await;
    server.edit(|server| server["mapUsers"][0]["groups"] = json!(["ops"]));
    server
        .event("other groups", "", &[": loaded the document backend="])
        .await;
    server.edit(|server| {
        server["mapUsers"] = json!([
            { "userARN": demo::USER_ARN, "username": "" },
            { "userARN": "acs:ram::1:user/new", "username": "new" },
            { "userARN": "acs:ram::1:user/{{x}}", "username": "refused" },
        ]);
    });
    server
        .event("broken mappings", "", &[": loaded the document backend="])
        .await;
    server.ready("ready", "MountedFile ok").await;
    server.edit(|server| {
        server["mapUsers"] = json!([{ "userARN": demo::USER_ARN, "username": "alice" }]);
    });
    server
        .event("repaired", "", &[": loaded the document backend="])
        .await;
    server.edit(|server| server["port"] = 1.into());
    server
        .event(
            "what needs a restart",
            "",
            &["restart the server", ": loaded the document backend="],
        )
        .await;
    server.hang_up();
    server.event("SIGHUP", "", &["reloaded: "]).await;
    let other = Emulator::builder().demo().start().unwrap();
    let endpoint = other.url();
    server.edit(|server| server["sts"]["endpoint"] = endpoint.into());
    server
        .event(
            "another endpoint",
            "",
            &["is in effect", ": loaded the document backend="],
        )
        .await;
    server.check("server_edits");
}

pub(crate) async fn break_configuration() {
    let mut server = Plan::new().start();
    server.lines_so_far(&["listening on"]).await;
    server.settle().await;
    server.lines_so_far(&[]).await;
    server.edit(|server| server["sts"]["timeout"] = 1.into());
    server.event("a bad setting", "", &REFUSED).await;
    server.ready("not ready", "the document is invalid").await;
    server.hang_up();
    server.event("SIGHUP", "", &["invalid configuration"]).await;
    replace(&server.path("config.yaml"), "{");
    server.event("no YAML", "", &REFUSED).await;
    replace(&server.path("config.yaml"), "");
    server.event("empty", "", &REFUSED).await;
    fs::remove_file(server.path("config.yaml")).unwrap();
    server.event("gone", "", &["does not exist"]).await;
    server.ready("ready without a file", "does not exist").await;
    server.edit(|server| server["sts"]["timeout"] = "10s".into());
    server
        .event("back", "", &[": loaded the document backend="])
        .await;
    replace(&server.path("sts-ca.pem"), "no certificate");
    server
        .event("a bad CA", "", &["contains no certificate"])
        .await;
    server.hang_up();
    server
        .event("SIGHUP with a bad CA", "", &["reloaded, but"])
        .await;
    server.check("server_broken_edits");
}

/// Returns the plan of a server whose dynamic file does not exist, and the path of the file.
fn with_dynamic_file() -> (Plan, PathBuf) {
    let mut plan = Plan::new();
    let path = plan.path("dynamic.yaml");
    plan.config["server"]["backendMode"] = json!(["MountedFile", "DynamicFile"]);
    plan.config["server"]["dynamicFilePath"] = json!(path);
    plan.config["server"]["maxStaleness"] = "3m".into();
    (plan, path)
}

fn document(users: Value) -> String {
    json!({ "mapUsers": users }).to_string()
}

pub(crate) async fn edit_dynamic_file() {
    let (plan, path) = with_dynamic_file();
    let mut server = plan.start();
    server
        .event("start without it", "", &["listening on", "does not exist"])
        .await;
    server.ready("ready without it", "does not exist").await;
    let bob = json!({ "userARN": "acs:ram::1:user/bob", "username": "bob" });
    replace(&path, "{");
    server.event("broken", "", &["invalid document"]).await;
    server
        .ready("broken and never read", "the document is invalid")
        .await;
    replace(&path, &document(json!([bob])));
    server
        .event("good", "", &[": loaded the document backend="])
        .await;
    server.ready("good", "DynamicFile ok\n").await;
    let alice = json!({ "userARN": demo::USER_ARN, "username": "other" });
    replace(
        &path,
        &document(json!([bob, alice, bob, { "userARN": "x" }])),
    );
    server
        .event(
            "a second Bob, and Alice, whom the first backend maps",
            "",
            &[": loaded the document backend=", "is shadowed by"],
        )
        .await;
    server.check("server_dynamic_file");
}

pub(crate) async fn break_dynamic_file() {
    let (plan, path) = with_dynamic_file();
    let bob = json!({ "userARN": "acs:ram::1:user/bob", "username": "bob" });
    replace(&path, &document(json!([bob])));
    let mut server = plan.start();
    server
        .event(
            "start",
            "",
            &["listening on", ": loaded the document backend="],
        )
        .await;
    let broken =
        json!({ "userARN": "acs:ram::1:user/bob", "username": "bob", "groups": ["{{Nobody}}"] });
    replace(&path, &document(json!([broken])));
    server
        .event(
            "Bob with a bad group",
            "",
            &[": loaded the document backend="],
        )
        .await;
    replace(&path, &document(json!([bob])));
    server
        .event("repaired", "", &[": loaded the document backend="])
        .await;
    replace(&path, &document(json!([bob])).replace("}]}", "}]"));
    server
        .event(
            "broken, and Bob is kept",
            "",
            &["invalid document", "kept: "],
        )
        .await;
    server.ready("broken", "the document is invalid").await;
    replace(&path, "mapUsers: x\n");
    server
        .event("of another form", "", &[": loaded the document backend="])
        .await;
    replace(&path, "color: blue\n");
    server
        .event("an unknown key", "", &[": loaded the document backend="])
        .await;
    fs::remove_file(&path).unwrap();
    server.event("gone", "", &["does not exist"]).await;
    server.ready("ready without it", "does not exist").await;
    fs::create_dir(&path).unwrap();
    server.event("a folder", "", &["DynamicFile"]).await;
    server.check("server_dynamic_file_broken");
}

pub(crate) async fn reload_immediately() {
    let mut server = Plan::new().start();
    server.lines_so_far(&["listening on"]).await;
    server.settle().await;
    let groups = |server: &mut Value, attempt: u16| {
        server["mapUsers"][0]["groups"] = json!([attempt.to_string()]);
    };
    reload(&mut server, "a mapping", "is in effect", groups).await;
    let port = |server: &mut Value, attempt: u16| server["port"] = (1 + attempt).into();
    reload(&mut server, "a port", "need a restart", port).await;
    server.check("server_reload");
}

/// Adds a section with the log line of a reload that read an edit. On a slow machine, the server may read the edit
/// before the reload, so this tries several times.
async fn reload(server: &mut Server, name: &str, part: &str, edit: impl Fn(&mut Value, u16)) {
    for attempt in 0..100 {
        server.edit(|server| edit(server, attempt));
        server.hang_up();
        let line = server.lines_of(&["reloaded: "]).await;
        if line.contains(part) {
            server.section(name, &line);
            return;
        }
    }
    panic!("the server read every edit before SIGHUP");
}
