//! Calls to several endpoints: order, retries and the circuit breaker.

use std::time::Duration;

use ack_ram_tests::sts::{Fault, RecordedRequest};
use futures_util::future::join_all;

use super::*;

/// Returns the number of requests to each of the two endpoints.
fn requests(fixture: &AuthenticatorFixture) -> (usize, usize) {
    (fixture.sts.requests().len(), fixture.other.requests().len())
}

fn calls(server: &StsServer, emulator: &Emulator) -> crate::metrics::EndpointMetrics {
    server.metrics.endpoint(&emulator.endpoint())
}

#[tokio::test]
async fn only_repeatable_requests_are_resent() {
    let failing = "sts_failing";
    let cases = [
        (None, false, "granted", (1, 0)),
        (None, true, "granted", (1, 0)),
        // A token v2 can be used any number of times.
        (Some(Fault::CloseBeforeHeaders), false, "granted", (2, 1)),
        (Some(Fault::CloseInBody), false, "granted", (2, 1)),
        (Some(Fault::InternalError), false, "granted", (1, 1)),
        (Some(Fault::ServiceUnavailable), false, "granted", (1, 1)),
        (Some(Fault::Hang), false, "granted", (1, 1)),
        // STS may have consumed the nonce of a token v1.
        (
            Some(Fault::CloseBeforeHeaders),
            true,
            "sts_unreachable",
            (1, 0),
        ),
        (Some(Fault::CloseInBody), true, "sts_unreachable", (1, 0)),
        (Some(Fault::InternalError), true, failing, (1, 0)),
        (Some(Fault::Hang), true, "sts_timed_out", (1, 0)),
        // No request was sent.
        (Some(Fault::CloseOnAccept), false, "granted", (0, 1)),
        (Some(Fault::CloseOnAccept), true, "granted", (0, 1)),
        (Some(Fault::StallOnAccept), true, "granted", (0, 1)),
        // The endpoint answered; another one would give the same answer.
        (Some(Fault::ThrottleUser), false, "sts_throttled", (1, 0)),
        (Some(Fault::Garbage), false, "sts_odd_answer", (1, 0)),
        (Some(Fault::EndlessBody), false, "sts_odd_answer", (1, 0)),
    ];
    // The cases run together because some wait. Their timeouts are long enough for the fallback on any machine.
    join_all(cases.map(async |(fault, is_v1, result, expected)| {
        let fixture = AuthenticatorFixture::new();
        let mut settings = json!({ "fallbackEndpoints": [fixture.other.url()] });
        if matches!(fault, Some(Fault::Hang | Fault::StallOnAccept)) {
            settings["connectTimeout"] = "5s".into();
            settings["timeout"] = "10s".into();
        }
        let server = fixture.server(&settings);
        fixture.sts.set_fault(fault.clone());
        let token = if is_v1 {
            fixture.v1_token()
        } else {
            fixture.token()
        };
        let (code, _) = server.login(&token).await;
        let case = format!("{fault:?}, v1: {is_v1}");
        assert_eq!((code, requests(&fixture)), (result, expected), "{case}");
        let fallbacks = calls(&server, &fixture.other).fallbacks.get();
        assert_eq!(fallbacks, u64::from(expected.1 > 0), "{case}");
    }))
    .await;
}

#[tokio::test]
async fn endpoints_without_fallback_are_not_called() {
    let fixture = AuthenticatorFixture::new();
    let server = fixture.server(&json!({}));
    fixture.sts.set_fault(Some(Fault::InternalError));
    let (code, _) = server.login(&fixture.token()).await;
    assert_eq!((code, requests(&fixture)), ("sts_failing", (1, 0)));
}

/// Returns three credentials. The rules grant logins only to the first one.
fn three_keys() -> [AccessKey; 3] {
    [demo::user_key(), demo::stranger_key(), demo::session_key()]
}

#[tokio::test]
async fn failing_endpoint_opens_breaker() {
    for fault in [
        Fault::CloseOnAccept,
        Fault::CloseBeforeHeaders,
        Fault::InternalError,
        Fault::Hang,
    ] {
        let fixture = AuthenticatorFixture::new();
        let hangs = fault == Fault::Hang;
        let server = fixture.server(&json!({
            "breakerFailures": 3,
            "breakerPause": "5m",
            "breakerMaxPause": "5m",
            "timeout": if hangs { "5s" } else { "30s" },
        }));
        assert_eq!(server.login(&fixture.token()).await.0, "granted");
        fixture.sts.set_fault(Some(fault.clone()));
        fixture.sts.cut_connections();
        let keys = three_keys();
        let logins = keys.iter().map(async |key| {
            let (code, _) = server.login(&fixture.token_of(key)).await;
            assert_ne!(code, "granted", "{fault:?}");
        });
        join_all(logins).await;
        // A probe meets the same fault and opens the breaker.
        eventually("the open breaker", async || {
            calls(&server, &fixture.sts).breaker.get() == 2
        })
        .await;
        fixture.sts.set_fault(None);
        fixture.sts.clear_requests();
        let connections = fixture.sts.connections();
        let date = fixture.dates.next();
        let token = token_v2(&demo::user_key(), date);
        let decided = server
            .authenticator
            .decide(&token, Requester::ApiServer)
            .await;
        assert_eq!(decided.decision.code(), "sts_unreachable", "{fault:?}");
        let cause = decided.cause.unwrap();
        assert!(cause.contains("the next probe is in"), "{fault:?}: {cause}");
        assert_eq!(calls(&server, &fixture.sts).breaker.get(), 2, "{fault:?}");
        let date = date.to_string();
        let recorded = fixture.sts.requests();
        let is_it = |request: &RecordedRequest| request.headers["x-acs-date"] == *date;
        assert!(!recorded.iter().any(is_it), "{fault:?}");
        // Where STS hangs, requests of calls that timed out may still arrive.
        if !hangs {
            assert_eq!(requests(&fixture), (0, 0), "{fault:?}");
            assert_eq!(fixture.sts.connections(), connections, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn failures_of_one_caller_keep_endpoint_available() {
    for fault in [
        Fault::InternalError,
        Fault::CloseBeforeHeaders,
        Fault::CloseInBody,
    ] {
        let fixture = AuthenticatorFixture::new();
        let server = fixture.server(&json!({ "breakerFailures": 1, "breakerPause": "5m" }));
        let attacker = demo::stranger_key();
        fixture.sts.set_fault_of_key(&attacker.id, fault.clone());
        for round in 0..10 {
            let (code, _) = server.login(&fixture.token_of(&attacker)).await;
            assert!(code.starts_with("sts_"), "{fault:?}: {code}");
            // In the first rounds, the failures of the attacker are consecutive.
            if round > 5 {
                let victim = server.login(&fixture.token()).await;
                assert_eq!(victim, ("granted", "miss"), "{fault:?}");
            }
            assert_eq!(calls(&server, &fixture.sts).breaker.get(), 0, "{fault:?}");
        }
        assert!(fixture.sts.probes().is_empty());
    }
}

#[tokio::test]
async fn probe_without_token_detects_recovery() {
    let fixture = AuthenticatorFixture::new();
    let server = fixture.server(&json!({
        "breakerFailures": 1, "breakerPause": "10ms", "breakerMaxPause": "20ms",
    }));
    assert_eq!(server.login(&fixture.token()).await.0, "granted");
    fixture.sts.set_fault(Some(Fault::InternalError));
    for key in three_keys() {
        server.login(&fixture.token_of(&key)).await;
    }
    let breaker = calls(&server, &fixture.sts).breaker;
    // Probes do not need a login; they continue until one is answered.
    eventually("three probes", async || fixture.sts.probes().len() >= 3).await;
    assert_ne!(breaker.get(), 0);
    let calls = requests(&fixture);
    assert_eq!(server.login(&fixture.token()).await.0, "sts_unreachable");
    assert_eq!(requests(&fixture), calls);
    fixture.sts.set_fault(None);
    eventually("the closed breaker", async || breaker.get() == 0).await;
    assert_eq!(server.login(&fixture.token()).await.0, "granted");
    for probe in fixture.sts.probes() {
        assert_eq!((probe.method.as_str(), &*probe.target), ("GET", "/"));
        assert_eq!(probe.header_names(), ["host", "user-agent"]);
        assert!(probe.body.is_empty());
    }
}

#[tokio::test]
async fn answered_probe_keeps_breaker_closed_while_calls_fail() {
    let fixture = AuthenticatorFixture::new();
    let server = fixture.server(&json!({
        "breakerFailures": 1, "breakerPause": "10ms", "breakerMaxPause": "20ms",
    }));
    assert_eq!(server.login(&fixture.token()).await.0, "granted");
    fixture.sts.set_fault_of_calls(Fault::InternalError);
    for key in three_keys() {
        server.login(&fixture.token_of(&key)).await;
    }
    let breaker = calls(&server, &fixture.sts).breaker;
    eventually("a probe", async || !fixture.sts.probes().is_empty()).await;
    assert_eq!(breaker.get(), 0);
    assert_eq!(server.login(&fixture.token()).await.0, "sts_failing");
}

#[tokio::test]
async fn dropped_client_ends_probes() {
    let fixture = AuthenticatorFixture::new();
    let server = fixture.server(&json!({
        "breakerFailures": 1, "breakerPause": "1ms", "breakerMaxPause": "1ms",
    }));
    fixture.sts.set_fault(Some(Fault::CloseOnAccept));
    assert_eq!(server.login(&fixture.token()).await.0, "sts_unreachable");
    let tasks = || {
        let metrics = tokio::runtime::Handle::current().metrics();
        metrics.num_alive_tasks()
    };
    assert_ne!(tasks(), 0);
    drop(server);
    eventually("the end of all tasks", async || tasks() == 0).await;
}

#[tokio::test]
async fn caller_failures_keep_breaker_closed() {
    let fixture = AuthenticatorFixture::new();
    let server = fixture.server(&json!({ "breakerFailures": 1, "breakerPause": "5m" }));
    let unknown = AccessKey {
        id: ack_ram_core::access_key::AccessKeyId::parse("LTAINobody").unwrap(),
        ..demo::user_key()
    };
    for fault in [
        Fault::ThrottleUser,
        Fault::ThrottleApi,
        Fault::Garbage,
        Fault::EndlessBody,
        Fault::ContentLengthTooShort,
        Fault::Redirect("https://127.0.0.1:1/".to_owned()),
    ] {
        fixture.sts.set_fault(Some(fault));
        assert_ne!(server.login(&fixture.token()).await.0, "granted");
    }
    fixture.sts.set_fault(None);
    let refused = server.login(&fixture.token_of(&unknown)).await;
    assert_eq!(refused, ("sts_refused", "miss"));
    assert_eq!(server.login(&fixture.token()).await, ("granted", "miss"));
}

#[tokio::test]
async fn call_that_waited_long_does_not_count_against_endpoint() {
    let fixture = AuthenticatorFixture::new();
    let server = fixture.server(&json!({ "maxCalls": 1, "timeout": "16s", "breakerFailures": 1 }));
    fixture.sts.set_fault(Some(Fault::Hold));
    let tokens = [fixture.token(), fixture.token()];
    // The first call takes more than half of the second one's time, and leaves enough for a call on any machine.
    let first_is_answered = async {
        tokio::time::sleep(Duration::from_secs(9)).await;
        fixture.sts.set_fault(Some(Fault::Hang));
    };
    let (first, second, ()) = tokio::join!(
        server.login(&tokens[0]),
        server.login(&tokens[1]),
        first_is_answered
    );
    assert_eq!(first, ("granted", "miss"));
    assert_eq!(second, ("sts_timed_out", "miss"));
    assert_eq!(calls(&server, &fixture.sts).breaker.get(), 0);
}

#[tokio::test]
async fn open_breaker_sends_every_token_to_next_endpoint() {
    let fixture = AuthenticatorFixture::new();
    let server = fixture.server(&json!({
        "fallbackEndpoints": [fixture.other.url()],
        "breakerFailures": 1, "breakerPause": "5m", "breakerMaxPause": "5m",
    }));
    fixture.sts.set_fault(Some(Fault::CloseOnAccept));
    assert_eq!(server.login(&fixture.token()).await, ("granted", "miss"));
    assert_eq!(server.login(&fixture.v1_token()).await, ("granted", "miss"));
    assert_eq!(server.login(&fixture.token()).await, ("granted", "miss"));
    assert_eq!(requests(&fixture), (0, 3));
    fixture.other.set_fault(Some(Fault::CloseOnAccept));
    fixture.other.cut_connections();
    assert_eq!(server.login(&fixture.token()).await.0, "sts_unreachable");
    let decided = server
        .authenticator
        .decide(&fixture.token(), Requester::ApiServer)
        .await;
    let cause = decided.cause.unwrap();
    for endpoint in [&fixture.sts, &fixture.other] {
        let text = format!("{}: circuit breaker open", endpoint.endpoint());
        assert!(cause.contains(&text), "{cause}");
    }
}
