//! What the real binary remembers, whom it asks, and what it tells of it: one server, two endpoints of STS.

use std::time::Duration;

use ack_ram_core::secret::Secret;
use ack_ram_tests::eventually::{LIMIT, eventually};
use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::sts::{Emulator, Fault, demo};
use serde_json::json;

/// Starts a server that calls the fixture's STS, and the returned one when that one fails.
fn start() -> (Fixture, Emulator) {
    let demo = || Emulator::builder().demo().start().unwrap();
    let (sts, fallback) = (demo(), demo());
    let folder = tempfile::tempdir().unwrap();
    let authorities = folder.path().join("both-ca.pem");
    std::fs::write(
        &authorities,
        format!("{}{}", sts.ca_pem(), fallback.ca_pem()),
    )
    .unwrap();
    let settings = json!({
        "sts": {
            "fallbackEndpoints": [fallback.url()],
            "caFile": authorities,
            "breakerFailures": 2,
            "breakerPause": "100ms",
            "breakerMaxPause": "200ms",
        },
        "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice" }],
    });
    let builder = Fixture::builder().folder(folder).sts(sts);
    (builder.settings(&settings).start(), fallback)
}

async fn is_granted(fixture: &Fixture, token: &Secret) -> bool {
    let reply = fixture.review(token).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.is_granted()
}

#[tokio::test]
async fn cached_token_needs_no_call_and_is_denied_after_mapping_is_deleted() {
    let (mut fixture, fallback) = start();
    let token = fixture.token();
    for _ in 0..20 {
        assert!(is_granted(&fixture, &token).await);
    }
    assert_eq!(fixture.sts.requests().len(), 1);
    // A token that is remembered serves while STS cannot be asked at all.
    fixture.sts.set_fault(Some(Fault::InternalError));
    fallback.set_fault(Some(Fault::InternalError));
    assert!(is_granted(&fixture, &token).await);
    assert_eq!(fixture.review(&fixture.token()).await.status, 503);
    let asked = fixture.sts.requests().len();

    fixture.edit(|server| server["mapUsers"] = json!([]));
    eventually("a denial", async || !is_granted(&fixture, &token).await).await;
    assert_eq!(fixture.sts.requests().len(), asked);
    for line in [
        &["access granted", "cache=\"miss\""],
        &["access granted", "cache=\"hit\""],
        &["access denied", "cache=\"hit\""],
    ] {
        let is_it = |told: &str| line.iter().all(|part| told.contains(part));
        fixture.server_mut().wait_for_log(is_it, LIMIT).unwrap();
    }
}

#[tokio::test]
async fn fifty_concurrent_equal_tokens_share_one_call() {
    let (fixture, _fallback) = start();
    let token = fixture.token();
    let delay = Fault::Delay(Duration::from_millis(300));
    fixture.sts.set_fault(Some(delay));
    let reviews: Vec<_> = (0..50)
        .map(|_| {
            let (webhook, token) = (fixture.webhook().clone(), token.clone());
            tokio::spawn(async move { webhook.review(&token).await.unwrap() })
        })
        .collect();
    for review in reviews {
        let reply = review.await.unwrap();
        assert_eq!(reply.body["status"]["authenticated"], true, "{reply:?}");
    }
    // However late some of them came, each waited for that call or found its answer.
    assert_eq!(fixture.sts.requests().len(), 1);
    let lookups = "identity_lookups_total";
    assert_eq!(fixture.metric(lookups, &[("result", "miss")]).await, 1.0);
}

#[tokio::test]
async fn fallback_endpoint_serves_until_the_first_recovers() {
    let (mut fixture, fallback) = start();
    let first = fixture.sts.endpoint();
    let second = fallback.endpoint();
    fixture.sts.set_fault(Some(Fault::CloseOnAccept));
    fixture.sts.cut_connections();
    for _ in 0..5 {
        assert!(is_granted(&fixture, &fixture.token()).await);
    }
    assert_eq!(fallback.requests().len(), 5);
    let labels = [("endpoint", &*second)];
    let fallbacks = fixture.metric("sts_fallbacks_total", &labels).await;
    assert_eq!(fallbacks, 5.0);
    let left_alone = |line: &str| line.contains("repeated STS failures") && line.contains(&first);
    fixture
        .server_mut()
        .wait_for_log(left_alone, LIMIT)
        .unwrap();

    fixture.sts.set_fault(None);
    eventually("the first endpoint is back", async || {
        assert!(is_granted(&fixture, &fixture.token()).await);
        let labels = [("endpoint", &*first)];
        fixture.metric("sts_breaker_state", &labels).await == 0.0
    })
    .await;
    let asked = fallback.requests().len();
    assert!(is_granted(&fixture, &fixture.token()).await);
    assert_eq!(fallback.requests().len(), asked);
}
