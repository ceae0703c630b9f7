//! STS that fails: what API servers and proxies are answered, and what the log says.

use std::collections::BTreeSet;
use std::time::Duration;

use ack_ram_tests::sts::{Emulator, Fault, Handshake, Wire, demo};
use bytes::Bytes;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::plan::Plan;
use crate::server::{Server, describe};
use crate::snapshot;

/// Faults that need no waiting.
fn faults() -> Vec<(&'static str, Fault)> {
    use Fault::{InHandshake, OnWire};
    let reply = |status, body: &str| Fault::Reply {
        status,
        body: Bytes::from(body.to_owned()),
    };
    let identity = |members: &str| reply(200, &format!("{{\"RequestId\":\"r\"{members}}}"));
    let user = r#","IdentityType":"RAMUser","AccountId":"1234567890123456","UserId":"2","PrincipalId":"2""#;
    vec![
        ("closed at once", Fault::CloseOnAccept),
        ("closed before the answer", Fault::CloseBeforeHeaders),
        ("closed in the body", Fault::CloseInBody),
        ("plain text for TLS", InHandshake(Handshake::PlainText)),
        (
            "a stranger's certificate",
            InHandshake(Handshake::OtherAuthority),
        ),
        (
            "a certificate for another name",
            InHandshake(Handshake::OtherName),
        ),
        ("an expired certificate", InHandshake(Handshake::Expired)),
        ("another protocol", OnWire(Wire::NoHttp)),
        ("two lengths", OnWire(Wire::TwoLengths)),
        ("too large a head", Fault::HugeHeaders),
        ("an endless body", Fault::EndlessBody),
        ("half of a body", Fault::ContentLengthTooShort),
        ("garbage", Fault::Garbage),
        ("throttled", Fault::ThrottleUser),
        ("throttled for all", Fault::ThrottleApi),
        ("failing", Fault::InternalError),
        ("unavailable", Fault::ServiceUnavailable),
        (
            "a redirect",
            Fault::Redirect("https://127.0.0.1:1/".to_owned()),
        ),
        ("a proxy's page", reply(403, "<html>proxy</html>")),
        ("an empty answer", reply(200, "")),
        ("an error without a code", reply(400, "{}")),
        (
            "an odd code",
            reply(400, r#"{"Code":"a b","RequestId":"r"}"#),
        ),
        ("no identity", identity("")),
        ("no ARN", identity(user)),
        (
            "an ARN that is no text",
            identity(&format!(r#"{user},"Arn":1"#)),
        ),
        ("an odd ARN", identity(&format!(r#"{user},"Arn":"x""#))),
        (
            "another account",
            identity(&format!(r#"{user},"Arn":"acs:ram::2:user/alice""#)),
        ),
        (
            "an ARN of another kind",
            identity(&format!(r#"{user},"Arn":"acs:ram::1234567890123456:root""#)),
        ),
    ]
}

/// A fault that looks the same to the client however fast it is.
fn unknown_authority() -> Fault {
    Fault::InHandshake(Handshake::OtherAuthority)
}

fn plan(sts: &Value) -> Plan {
    let mut plan = Plan::new();
    let settings = &mut plan.config["server"]["sts"];
    settings["breakerFailures"] = 0.into();
    for (name, value) in sts.as_object().unwrap() {
        settings[name] = value.clone();
    }
    plan.config["server"]["extAuthz"] = json!({ "enabled": true });
    plan
}

/// What comes of a login while `fault` lasts.
async fn login(server: &mut Server, name: &str, fault: Fault) {
    server.sts().set_fault(Some(fault));
    server.sts().cut_connections();
    let token = server.token(&demo::user_key());
    let said = describe(&server.review(&token).await);
    server.event(name, &said, &["decision unavailable"]).await;
}

#[tokio::test]
async fn failures_of_sts_are_answered_and_logged_with_these_texts() {
    let mut server = plan(&json!({})).start();
    server.lines_so_far(&["listening on"]).await;
    for (name, fault) in faults() {
        login(&mut server, name, fault).await;
    }
    for fault in [Fault::Garbage, Fault::ThrottleUser, Fault::InternalError] {
        server.sts().set_fault(Some(fault.clone()));
        let token = server.token(&demo::user_key());
        let said = describe(&server.ask_as_proxy(&token).await);
        let name = format!("a proxy, {fault:?}");
        server.event(&name, &said, &["decision unavailable"]).await;
    }
    snapshot::check("sts_failures", &without_races(&server.finish()));
}

pub(crate) async fn wait_for_answers() {
    // Each waits for all of its time, which is long enough for a connection on any machine: they wait together.
    let cases = [
        ("no answer", Fault::Hang, json!({ "timeout": "10s" })),
        (
            "an answer after a minute",
            Fault::Delay(Duration::from_secs(60)),
            json!({ "timeout": "10s" }),
        ),
        (
            "no handshake",
            Fault::StallOnAccept,
            json!({ "connectTimeout": "5s" }),
        ),
        (
            "a body that does not end",
            Fault::ContentLengthTooLong,
            json!({ "timeout": "10s" }),
        ),
    ];
    let texts = join_all(cases.map(async |(name, fault, settings)| {
        let mut server = plan(&settings).start();
        server.lines_so_far(&["listening on"]).await;
        login(&mut server, name, fault).await;
        server.finish()
    }))
    .await;
    let text = texts.concat();
    snapshot::check("sts_too_late", &text);
}

pub(crate) async fn open_circuit_breaker() {
    let mut server = plan(&json!({
        "breakerFailures": 1,
        "breakerPause": "1s",
        "breakerMaxPause": "1s",
    }))
    .start();
    server.lines_so_far(&["listening on"]).await;
    server.sts().set_fault(Some(unknown_authority()));
    server.sts().cut_connections();
    let token = server.token(&demo::user_key());
    let said = describe(&server.review(&token).await);
    let parts = ["decision unavailable", "repeated STS failures"];
    server.event("it fails", &said, &parts).await;
    server.sts().set_fault(None);
    server.event("it is back", "", &["STS answers again"]).await;
    snapshot::check("sts_circuit_breaker", &first_of_each(&server.finish()));
}

#[tokio::test]
async fn logins_beyond_a_limit_are_answered_and_logged_with_these_texts() {
    let mut server = plan(&json!({ "maxCalls": 1, "maxWaiting": 0 })).start();
    server.lines_so_far(&["listening on"]).await;
    server.sts().set_fault(Some(Fault::Hold));
    let (webhook, token) = (server.webhook.clone(), server.token(&demo::user_key()));
    let held = tokio::spawn(async move { webhook.review(&token).await.unwrap() });
    while server.sts().requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let token = server.token(&demo::stranger_key());
    let said = describe(&server.review(&token).await);
    server
        .event("overloaded", &said, &["decision unavailable"])
        .await;
    let token = server.token(&demo::stranger_key());
    let said = describe(&server.ask_as_proxy(&token).await);
    server
        .event("overloaded for a proxy", &said, &["decision unavailable"])
        .await;
    server.sts().set_fault(None);
    let said = describe(&held.await.unwrap());
    server.event("the first one", &said, &["granted"]).await;
    snapshot::check("sts_overloaded", &server.finish());
}

/// A second endpoint, of which each login tells what came of the first.
#[tokio::test]
async fn fallback_is_logged_with_these_texts() {
    let second = Emulator::builder().demo().start().unwrap();
    let mut plan = plan(&json!({}));
    let ca = format!("{}{}", plan.sts.ca_pem(), second.ca_pem());
    std::fs::write(plan.path("sts-ca.pem"), ca).unwrap();
    plan.config["server"]["sts"]["fallbackEndpoints"] = json!([second.url()]);
    let mut server = plan.start();
    server.lines_so_far(&["listening on"]).await;
    second.set_fault(Some(unknown_authority()));
    login(&mut server, "neither can be reached", unknown_authority()).await;
    second.set_fault(Some(Fault::InternalError));
    login(&mut server, "the second one fails", unknown_authority()).await;
    second.set_fault(None);
    let token = server.token(&demo::user_key());
    let said = describe(&server.review(&token).await);
    server
        .event("the second one answers", &said, &["granted"])
        .await;
    snapshot::check("sts_fallback", &server.finish());
}

/// Where a connection is closed, it depends on the moment what a client notices.
fn without_races(text: &str) -> String {
    let noticed = r#"(tls handshake eof|[A-Z][a-z ]+ \(os error [0-9]+\)|connection closed before message completed|(connection error: )?peer closed connection[^"]*)"#;
    let noticed = regex::Regex::new(noticed).unwrap();
    noticed.replace_all(text, "[closed]").into_owned()
}

/// Of equal lines of the log the first: how often a probe fails depends on time.
fn first_of_each(text: &str) -> String {
    let pause = regex::Regex::new("for [0-9]+ ms").unwrap();
    let text = pause.replace_all(text, "for [pause] ms");
    let mut seen = BTreeSet::new();
    let lines = text.lines();
    let lines = lines.filter(|line| !line.starts_with("[time]") || seen.insert(line.to_owned()));
    lines.collect::<Vec<_>>().join("\n")
}
