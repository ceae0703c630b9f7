//! Failures of STS: the replies to API servers and proxies, and the log.

use std::collections::BTreeSet;
use std::time::Duration;

use ack_ram_tests::sts::{Emulator, Fault, Handshake, Wire, demo};
use bytes::Bytes;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::plan::Plan;
use crate::server::{Server, describe};
use crate::snapshot;

/// Returns the faults that take no time.
fn faults() -> Vec<(&'static str, Fault)> {
    use Fault::{InHandshake, OnWire};
    let reply = |status, body: &str| Fault::Reply {
        status,
        body: Bytes::from(body.to_owned()),
    };
    let identity = |members: &str| reply(200, &format!("{{\"RequestId\":\"r\"{members}}}"));
    let user = r#","IdentityType":"RAMUser","AccountId":"1234567890123456","UserId":"2","PrincipalId":"2""#;
    vec![
        ("closed on accept", Fault::CloseOnAccept),
        ("closed before the reply", Fault::CloseBeforeHeaders),
        ("closed in the body", Fault::CloseInBody),
        ("plain text for TLS", InHandshake(Handshake::PlainText)),
        (
            "a certificate of an unknown authority",
            InHandshake(Handshake::OtherAuthority),
        ),
        (
            "a certificate for another name",
            InHandshake(Handshake::OtherName),
        ),
        ("an expired certificate", InHandshake(Handshake::Expired)),
        ("another protocol", OnWire(Wire::NoHttp)),
        ("two lengths", OnWire(Wire::TwoLengths)),
        ("a head that is too large", Fault::HugeHeaders),
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
        ("an empty reply", reply(200, "")),
        ("an error without a code", reply(400, "{}")),
        (
            "a malformed code",
            reply(400, r#"{"Code":"a b","RequestId":"r"}"#),
        ),
        ("no identity", identity("")),
        ("no ARN", identity(user)),
        (
            "an ARN that is a number",
            identity(&format!(r#"{user},"Arn":1"#)),
        ),
        ("a malformed ARN", identity(&format!(r#"{user},"Arn":"x""#))),
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

/// Returns a fault with an effect that does not depend on timing.
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

/// Adds a section with a login under `fault`.
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
    // Each case waits for its whole timeout, which is long enough to connect on a slow machine. All cases run together.
    let cases = [
        ("no reply", Fault::Hang, json!({ "timeout": "10s" })),
        (
            "a reply after a minute",
            Fault::Delay(Duration::from_secs(60)),
            json!({ "timeout": "10s" }),
        ),
        (
            "no handshake",
            Fault::StallOnAccept,
            json!({ "connectTimeout": "5s" }),
        ),
        (
            "an incomplete body",
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
    snapshot::check("sts_timeouts", &text);
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
    server.event("STS fails", &said, &parts).await;
    server.sts().set_fault(None);
    server
        .event("STS recovers", "", &["STS answers again"])
        .await;
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

/// With a second endpoint, the log line of each login contains the result of the first.
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
    login(
        &mut server,
        "both endpoints are unreachable",
        unknown_authority(),
    )
    .await;
    second.set_fault(Some(Fault::InternalError));
    login(
        &mut server,
        "the second endpoint fails",
        unknown_authority(),
    )
    .await;
    second.set_fault(None);
    let token = server.token(&demo::user_key());
    let said = describe(&server.review(&token).await);
    server
        .event("the second one answers", &said, &["granted"])
        .await;
    snapshot::check("sts_fallback", &server.finish());
}

/// Replaces the symptom of a closed connection with a placeholder, because it depends on timing.
fn without_races(text: &str) -> String {
    let symptom = r#"(tls handshake eof|[A-Z][a-z ]+ \(os error [0-9]+\)|connection closed before message completed|(connection error: )?peer closed connection[^"]*)"#;
    let symptom = regex::Regex::new(symptom).unwrap();
    symptom.replace_all(text, "[closed]").into_owned()
}

/// Removes repeated log lines, because the number of failed probes depends on timing.
fn first_of_each(text: &str) -> String {
    let pause = regex::Regex::new("in [0-9]+ ms").unwrap();
    let text = pause.replace_all(text, "in [pause] ms");
    let mut kept = BTreeSet::new();
    let lines = text.lines();
    let lines = lines.filter(|line| !line.starts_with("[time]") || kept.insert(line.to_owned()));
    lines.collect::<Vec<_>>().join("\n")
}
