//! The log of a server from its start to its exit, without decisions, and `/readyz` in between.

use ack_ram_tests::ports;
use ack_ram_tests::sts::{Fault, demo};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::plan::{Plan, replace};
use crate::snapshot;

/// Returns the plan of a server whose configuration causes many warnings.
fn plan_with_warnings() -> Plan {
    let mut plan = Plan::new();
    plan.config["color"] = "blue".into();
    let server = &mut plan.config["server"];
    server["audit"] = json!({ "file": plan.folder.path().join("audit.jsonl") });
    server["mapUsers"] = json!([
        { "userARN": demo::USER_ARN, "username": "alice", "groups": ["dev"] },
        { "userARN": demo::USER_ARN, "username": "second" },
        { "userARN": "no ARN", "username": "refused" },
        { "username": "nobody" },
        { "userARN": "acs:ram::1:user/no-name" },
        { "userARN": "acs:ram::1:user/a", "username": "a", "gruops": ["x"] },
        "text",
    ]);
    server["mapRoles"] = json!([
        { "roleARN": demo::ROLE_ARN, "username": "{{Nobody}}" },
        { "roleARN": demo::USER_ARN, "username": "user" },
    ]);
    server["mapAccounts"] = json!([1234, "x"]);
    server["mapRules"] = json!([
        { "arn": "acs:ram::1:user/*", "username": "x" },
        { "match": "identity.color == 'blue'", "username": "x" },
        { "match": "identity.", "username": "x" },
    ]);
    plan
}

#[tokio::test]
async fn start_and_end_are_logged_with_these_texts() {
    for format in ["text", "json"] {
        let mut plan = plan_with_warnings();
        plan.arguments = vec!["-l", format];
        let mut server = plan.start();
        server.event("start", "", &["listening on"]).await;
        server.signal(Signal::SIGTERM);
        server.wait_for_exit();
        server.event("end", "", &["stopped"]).await;
        let plan = server.check(&format!("server_start_{format}"));
        let mut again = plan.start();
        again.event("start again", "", &["listening on"]).await;
        again.check(&format!("server_start_again_{format}"));
    }
}

#[test]
fn failed_starts_are_logged_with_these_texts() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let taken = taken.local_addr().unwrap().port();
    type Edit = Box<dyn Fn(&mut Value)>;
    let set = |path: &'static str, value: Value| -> Edit {
        Box::new(move |config| *config.pointer_mut(path).unwrap() = value.clone())
    };
    let add = |name: &'static str, value: Value| -> Edit {
        Box::new(move |config| config["server"][name] = value.clone())
    };
    let mut text = String::new();
    for (name, edit) in [
        ("no cluster id", set("/clusterID", Value::Null)),
        ("a port that is taken", set("/server/port", taken.into())),
        (
            "a health port that is taken",
            set("/server/healthPort", taken.into()),
        ),
        ("an invalid port", set("/server/port", "x".into())),
        (
            "no such CA",
            set("/server/sts/caFile", "/dev/null/ca.pem".into()),
        ),
        (
            "no such endpoint",
            set("/server/sts/endpoint", "ftp://x".into()),
        ),
        ("no such backend", add("backendMode", json!(["Nothing"]))),
        (
            "no dynamic file",
            add("backendMode", json!(["DynamicFile"])),
        ),
        ("no client CA", add("requireClientCertificate", true.into())),
        (
            "half a pair",
            add("tls", json!({ "certFile": "/dev/null/tls.crt" })),
        ),
        (
            "no such pair",
            add(
                "tls",
                json!({ "certFile": "/dev/null/tls.crt", "keyFile": "/dev/null/tls.key", "caFile": "/dev/null/ca.crt" }),
            ),
        ),
        ("no such address", add("address", "192.0.2.1".into())),
        (
            "a kubeconfig in a missing folder",
            add("generateKubeconfig", "/dev/null/kubeconfig".into()),
        ),
        (
            "a broken rule",
            add(
                "userValidationRules",
                json!([{ "expression": "x", "message": "m" }]),
            ),
        ),
        (
            "a state folder that is a file",
            add("stateDir", "/dev/null".into()),
        ),
    ] {
        let mut plan = Plan::new();
        edit(&mut plan.config);
        let said = plan.fail().replace(&taken.to_string(), "[port]");
        text += &format!("# {name}\n{said}\n");
    }
    snapshot::check("server_start_fails", &text);
}

#[tokio::test]
async fn unavailable_api_server_is_logged_with_these_texts() {
    let mut plan = Plan::new();
    let port = ports::free_port();
    let kubeconfig = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "c", "cluster": { "server": format!("http://127.0.0.1:{port}") } }],
        "users": [{ "name": "u", "user": {} }],
        "contexts": [{ "name": "x", "context": { "cluster": "c", "user": "u" } }],
        "current-context": "x",
    });
    let path = plan.path("kubeconfig");
    replace(&path, &kubeconfig.to_string());
    let server = &mut plan.config["server"];
    server["backendMode"] = json!(["MountedFile", "ACKConfigMap", "CRD"]);
    server["kubeconfig"] = json!(path);
    server["maxStaleness"] = "3m".into();
    let mut server = plan.start();
    server
        .event(
            "start",
            "",
            &[
                "listening on",
                "the Lease",
                "backend=CRD",
                "backend=ACKConfigMap",
            ],
        )
        .await;
    let said = server.ask_health("/readyz?verbose").await;
    server.section("not ready", &said);
    let token = server.token(&demo::stranger_key());
    let said = crate::server::describe(&server.review(&token).await);
    let lines = server.lines_of(&["decision unavailable"]).await;
    server.section("a login that needs it", &format!("{said}\n{lines}"));
    server.check("server_without_api_server");
}

#[tokio::test]
async fn end_is_logged_with_these_texts() {
    let mut plan = Plan::new();
    plan.config["server"]["limits"] = json!({ "stopTimeout": "10m" });
    let mut server = plan.start();
    server.lines_so_far(&["listening on"]).await;
    server.sts().set_fault(Some(Fault::Hold));
    let (webhook, token) = (server.webhook.clone(), server.token(&demo::user_key()));
    let held = tokio::spawn(async move { webhook.review(&token).await });
    while server.sts().requests().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    server.signal(Signal::SIGTERM);
    server.event("asked to stop", "", &["stopping: "]).await;
    let said = server.ask_health("/readyz").await;
    server.section("not ready", &said);
    server.signal(Signal::SIGINT);
    server.wait_for_exit();
    // The dropped login may have its own line.
    let lines = server.lines_of(&["stopped immediately"]).await;
    server.section("asked again", &lines);
    held.abort();
    let mut text = server.finish();

    let mut plan = Plan::new();
    plan.config["server"]["limits"] = json!({ "stopTimeout": "1s" });
    let mut server = plan.start();
    server.lines_so_far(&["listening on"]).await;
    server.sts().set_fault(Some(Fault::Hang));
    let (webhook, token) = (server.webhook.clone(), server.token(&demo::user_key()));
    let held = tokio::spawn(async move { webhook.review(&token).await });
    while server.sts().requests().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    server.signal(Signal::SIGTERM);
    server.wait_for_exit();
    let lines = server.lines_of(&["stopping: ", "still open"]).await;
    server.section("still open", &lines);
    held.abort();
    text += &server.finish();
    snapshot::check("server_end", &text);
}

#[tokio::test]
async fn unwritable_audit_file_is_logged_with_these_texts() {
    let mut plan = Plan::new();
    plan.config["server"]["audit"] = json!({ "file": "/dev/null/audit.jsonl" });
    let mut server = plan.start();
    let parts = ["listening on", "cannot write the audit file"];
    server.event("start", "", &parts).await;
    server.check("server_audit_errors");
}
