//! Cache, single flight, fallback and log of the real binary with two endpoints of STS.

use std::time::Duration;

use ack_ram_core::secret::Secret;
use ack_ram_tests::eventually::{LIMIT, eventually};
use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::sts::{Emulator, Fault, demo};
use serde_json::json;

/// Starts a server that calls the STS of the fixture, and the returned STS as a fallback.
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
    // A cached token works while STS is unavailable.
    fixture.sts.set_fault(Some(Fault::InternalError));
    fallback.set_fault(Some(Fault::InternalError));
    assert!(is_granted(&fixture, &token).await);
    assert_eq!(fixture.review(&fixture.token()).await.status, 503);
    let calls = fixture.sts.requests().len();

    fixture.edit(|server| server["mapUsers"] = json!([]));
    eventually("a denial", async || !is_granted(&fixture, &token).await).await;
    assert_eq!(fixture.sts.requests().len(), calls);
    for line in [
        &["access granted", "cache=\"miss\""],
        &["access granted", "cache=\"hit\""],
        &["access denied", "cache=\"hit\""],
    ] {
        let matches = |output: &str| line.iter().all(|part| output.contains(part));
        fixture.server_mut().wait_for_log(matches, LIMIT).unwrap();
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
    // Each review, even a late one, shared the call or was a cache hit.
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
    let is_open_breaker =
        |line: &str| line.contains("repeated STS failures") && line.contains(&first);
    fixture
        .server_mut()
        .wait_for_log(is_open_breaker, LIMIT)
        .unwrap();

    fixture.sts.set_fault(None);
    eventually("the first endpoint recovers", async || {
        assert!(is_granted(&fixture, &fixture.token()).await);
        let labels = [("endpoint", &*first)];
        fixture.metric("sts_breaker_state", &labels).await == 0.0
    })
    .await;
    let calls = fallback.requests().len();
    assert!(is_granted(&fixture, &fixture.token()).await);
    assert_eq!(fallback.requests().len(), calls);
}
