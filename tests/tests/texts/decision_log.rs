//! Decisions of a running server: the reply, the line in the log, and the record in the audit file.

use std::fmt::Write as _;
use std::fs;

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::sts::{Emulator, Fault, demo};
use serde_json::json;

use crate::plan::Plan;
use crate::server::{LIMIT, Server, describe};
use crate::snapshot;

const SCRUBBED: &str = "9999999999999999";

fn key(id: &str) -> AccessKey {
    AccessKey {
        id: AccessKeyId::parse(id).unwrap(),
        secret: Secret::new("secret"),
        security_token: None,
    }
}

/// Starts a server with an audit file and a user for each decision.
fn start(format: &'static str) -> Server {
    let mut sts = Emulator::builder().demo();
    for (account, name, id) in [
        (SCRUBBED, "carol", "400000000000000001"),
        (SCRUBBED, "mallory", "400000000000000002"),
        (demo::ACCOUNT, "refused", "200000000000000003"),
        (demo::ACCOUNT, "invalid", "200000000000000004"),
        (demo::ACCOUNT, "failing", "200000000000000005"),
        (demo::ACCOUNT, "conditional", "200000000000000006"),
        (demo::ACCOUNT, "carol", "200000000000000007"),
    ] {
        sts = sts.user(account, name, id, key(&format!("LTAI{account}{name}")));
    }
    let mut plan = Plan::with_sts(sts.start().unwrap());
    let user = |name: &str| format!("acs:ram::{}:user/{name}", demo::ACCOUNT);
    let server = &mut plan.config["server"];
    server["mapUsers"] = json!([
        { "userARN": demo::USER_ARN, "username": "alice", "groups": ["dev", "ops"] },
        { "userARN": user("refused"), "username": "{{SessionName}}" },
        { "userARN": user("invalid"), "username": "root" },
        { "userARN": user("failing"), "username": "failing" },
        { "userARN": format!("acs:ram::{SCRUBBED}:user/carol"), "username": "carol" },
    ]);
    server["mapRules"] = json!([{
        "arn": user("conditional"),
        "match": "identity.userId == '1'",
        "username": "conditional",
    }]);
    server["scrubbedAccounts"] = json!([SCRUBBED]);
    server["userValidationRules"] = json!([
        { "expression": "user.username != 'root'", "message": "nobody is root" },
        { "expression": "user.username != 'failing' || user.username.split('@')[1] == 'x'", "message": "never shown" },
    ]);
    server["audit"] = json!({ "file": plan.folder.path().join("audit.jsonl") });
    plan.arguments = vec!["-l", format];
    plan.start()
}

/// Sends a review for each decision. Returns the sections of the log, and the audit file.
async fn decide(format: &'static str) -> (String, String) {
    let mut server = start(format);
    server.event("start", "", &["listening on"]).await;
    let wrong_secret = AccessKey {
        secret: Secret::new("not-the-secret"),
        ..demo::user_key()
    };
    let of = |name: &str| key(&format!("LTAI{}{name}", demo::ACCOUNT));
    let scrubbed = |name: &str| key(&format!("LTAI{SCRUBBED}{name}"));
    let user = server.token(&demo::user_key());
    for (name, token) in [
        ("a user", user.clone()),
        ("the same token again", user),
        ("an assumed role", server.token(&demo::session_key())),
        ("not mapped", server.token(&demo::stranger_key())),
        ("nearly mapped", server.token(&of("carol"))),
        (
            "a condition that does not hold",
            server.token(&of("conditional")),
        ),
        ("a name that is refused", server.token(&of("refused"))),
        ("refused by a validation", server.token(&of("invalid"))),
        ("a validation that fails", server.token(&of("failing"))),
        ("scrubbed", server.token(&scrubbed("carol"))),
        (
            "scrubbed and not mapped",
            server.token(&scrubbed("mallory")),
        ),
        (
            "another cluster",
            server.token_for(&demo::user_key(), "other", 0),
        ),
        ("a wrong secret", server.token(&wrong_secret)),
        ("no such key", server.token(&key("LTAINobody"))),
        (
            "expired for STS",
            server.token_for(&demo::user_key(), ack_ram_tests::callers::CLUSTER, 1000),
        ),
        ("no token", Secret::new("k8s-ack-v2.garbage")),
        ("another version", Secret::new("k8s-ack-v3.e30=")),
    ] {
        let said = describe(&server.review(&token).await);
        server.event(name, &said, &["result"]).await;
    }
    // The server logs nothing about it at this level.
    let not_ours = Secret::new("eyJhbGciOiJSUzI1NiJ9.e30.c2ln");
    let said = describe(&server.review(&not_ours).await);
    server.event("not ours", &said, &[]).await;
    server.signal(nix::sys::signal::Signal::SIGTERM);
    server.wait_for_exit();
    server.event("the end", "", &["stopped"]).await;
    let audit = fs::read_to_string(server.path("audit.jsonl")).unwrap();
    let audit = snapshot::stable(&audit, server.plan.folder.path());
    (server.finish(), audit)
}

#[tokio::test]
async fn decisions_are_answered_logged_and_recorded_with_these_texts() {
    let (log, audit) = decide("text").await;
    snapshot::check("decision_log_text", &log);
    snapshot::check("audit_records", &audit);
}

#[tokio::test]
async fn decisions_are_logged_as_json_with_these_members() {
    let (log, _) = decide("json").await;
    let lines: String = log
        .lines()
        .filter(|line| line.starts_with('#') || line.contains("\"level\""))
        .fold(String::new(), |mut text, line| {
            writeln!(text, "{line}").unwrap();
            text
        });
    snapshot::check("decision_log_json", &lines);
}

#[tokio::test]
async fn decisions_beyond_a_rate_are_summarized_with_these_texts() {
    let mut plan = Plan::new();
    plan.config["server"]["audit"] = json!({ "file": plan.folder.path().join("audit.jsonl") });
    let mut server = plan.start();
    server.event("start", "", &["listening on"]).await;
    let garbage = Secret::new("k8s-ack-v2.garbage");
    let deadline = std::time::Instant::now() + LIMIT;
    while !server.authenticator.log().contains("summarized") {
        assert!(
            std::time::Instant::now() < deadline,
            "no summary in the log"
        );
        let reviews = (0..200).map(|_| server.review(&garbage));
        futures_util::future::join_all(reviews).await;
    }
    server.signal(nix::sys::signal::Signal::SIGTERM);
    server.wait_for_exit();
    let log = snapshot::stable(&server.authenticator.log(), server.plan.folder.path());
    let audit = fs::read_to_string(server.path("audit.jsonl")).unwrap();
    let audit = snapshot::stable(&audit, server.plan.folder.path());
    let first = |text: &str, part: &str| {
        let line = text.lines().find(|line| line.contains(part)).unwrap();
        let count = regex::Regex::new(r#"(count"?[=:])\d+"#).unwrap();
        count.replace(line, "${1}[count]").into_owned()
    };
    let text = format!(
        "{}\n{}\n",
        first(&log, "summarized"),
        first(&audit, "\"count\"")
    );
    snapshot::check("decisions_summarized", &text);
}

#[tokio::test]
async fn login_is_logged_at_debug_with_these_texts() {
    let mut plan = Plan::new();
    plan.log = "ack_ram_authenticator=debug";
    let mut server = plan.start();
    let granted = ["access granted"];
    server.lines_so_far(&["listening on"]).await;
    let token = server.token(&demo::user_key());
    for name in ["a user", "the same token again"] {
        let _reply = server.review(&token).await;
        server.event(name, "", &granted).await;
    }
    server.sts().set_fault(Some(Fault::CloseBeforeHeaders));
    let _reply = server.review(&server.token(&demo::user_key())).await;
    let lines = server
        .lines_of(&["retrying the call", "decision unavailable"])
        .await;
    let lines = lines
        .lines()
        .filter(|line| line.contains("retrying the call"));
    let again = lines.map(|line| line.split_once("retrying the call: ").unwrap().0);
    let again: Vec<_> = again.collect();
    server.section(
        "a connection that is closed",
        &format!("{}retrying the call: …", again[0]),
    );
    let not_ours = Secret::new("eyJhbGciOiJSUzI1NiJ9.e30.c2ln");
    let _reply = server.review(&not_ours).await;
    server.event("not ours", "", &["unrecognized token"]).await;
    snapshot::check("decision_log_debug", &server.finish());
}
