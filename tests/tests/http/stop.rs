//! The stop of a server.

use std::time::{Duration, Instant};

use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::sts::Fault;
use nix::sys::signal::Signal;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::fixture::{LIMIT, start};

/// Starts a review for which STS does not reply.
async fn stuck(fixture: &Fixture) -> JoinHandle<Option<u16>> {
    let (webhook, token) = (fixture.webhook().clone(), fixture.token());
    let review = tokio::spawn(async move {
        let reply = webhook.review(&token).await.ok()?;
        Some(reply.status.as_u16())
    });
    while fixture.sts.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    review
}

#[tokio::test]
async fn stopping_server_finishes_requests_and_is_not_ready() {
    let mut fixture = start(&json!({ "stopTimeout": "10m" }), &json!({}));
    assert_eq!(fixture.ask_health("/readyz").await.body, "ok");
    fixture.sts.set_fault(Some(Fault::Hold));
    let review = stuck(&fixture).await;
    fixture.signal(Signal::SIGTERM);
    fixture.wait_for_log("stopping: ").await;
    let readiness = fixture.ask_health("/readyz?verbose").await;
    assert_eq!(readiness.status, 503, "{readiness:?}");
    let line = "[-]shutdown failed: the server is shutting down\n";
    assert!(readiness.body.contains(line), "{readiness:?}");
    assert_eq!(fixture.ask_health("/livez").await.status, 200);
    // SIGHUP has no effect now, and does not stop the server early.
    fixture.signal(Signal::SIGHUP);
    fixture.sts.set_fault(None);
    assert_eq!(review.await.unwrap(), Some(200));
    assert!(fixture.wait_for_exit().success());
    assert!(fixture.log().contains("INFO stopped"), "{}", fixture.log());
}

#[tokio::test]
async fn request_past_stop_timeout_is_dropped() {
    let limits = json!({ "stopTimeout": "1s" });
    let sts = json!({ "timeout": "30s" });
    let mut fixture = start(&limits, &sts);
    fixture.sts.set_fault(Some(Fault::Hang));
    let review = stuck(&fixture).await;
    let signaled = Instant::now();
    fixture.signal(Signal::SIGTERM);
    assert!(fixture.wait_for_exit().success());
    assert!(signaled.elapsed() >= Duration::from_secs(1));
    let log = fixture.log();
    assert!(log.contains("some connections were still open"), "{log}");
    let reply = tokio::time::timeout(LIMIT, review).await.unwrap();
    assert_eq!(reply.unwrap(), None, "there was a reply");
}

#[tokio::test]
async fn second_signal_stops_immediately() {
    let mut fixture = start(
        &json!({ "stopTimeout": "10m" }),
        &json!({ "timeout": "30s" }),
    );
    fixture.sts.set_fault(Some(Fault::Hang));
    let _review = stuck(&fixture).await;
    fixture.signal(Signal::SIGTERM);
    fixture.wait_for_log("stopping: ").await;
    fixture.signal(Signal::SIGINT);
    assert!(fixture.wait_for_exit().success());
    assert!(
        fixture.log().contains("stopped immediately"),
        "{}",
        fixture.log()
    );
}
