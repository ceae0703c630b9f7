//! The end of a server.

use std::time::{Duration, Instant};

use ack_ram_tests::sts::Fault;
use nix::sys::signal::Signal;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::world::{LIMIT, World};

/// A review that STS keeps waiting.
async fn stuck(world: &World) -> JoinHandle<Option<u16>> {
    let (webhook, token) = (world.webhook.clone(), world.token());
    let review = tokio::spawn(async move {
        let reply = webhook.review(&token).await.ok()?;
        Some(reply.status.as_u16())
    });
    while world.sts.requests().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    review
}

#[tokio::test]
async fn while_it_finishes_what_is_under_way_it_says_that_it_is_not_ready() {
    let mut world = World::start(&json!({ "stopTimeout": "10m" }), &json!({}));
    assert_eq!(world.ask_health("/readyz").await.1, "ok");
    world.sts.set_fault(Some(Fault::Hold));
    let review = stuck(&world).await;
    world.signal(Signal::SIGTERM);
    world.wait_for_log("stopping: ").await;
    let (head, body) = world.ask_health("/readyz?verbose").await;
    assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
    let line = "[-]shutdown failed: the server was asked to stop\n";
    assert!(body.contains(line), "{body}");
    let (head, _) = world.ask_health("/livez").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    // Nobody reads files now, and that does not end it early.
    world.signal(Signal::SIGHUP);
    world.sts.set_fault(None);
    assert_eq!(review.await.unwrap(), Some(200));
    assert!(world.ended().success());
    assert!(world.log().contains("INFO stopped"), "{}", world.log());
}

#[tokio::test]
async fn what_takes_too_long_is_given_up() {
    let limits = json!({ "stopTimeout": "1s" });
    let sts = json!({ "timeout": "30s" });
    let mut world = World::start(&limits, &sts);
    world.sts.set_fault(Some(Fault::Hang));
    let review = stuck(&world).await;
    let asked = Instant::now();
    world.signal(Signal::SIGTERM);
    assert!(world.ended().success());
    assert!(asked.elapsed() >= Duration::from_secs(1));
    let log = world.log();
    assert!(log.contains("some connections were still open"), "{log}");
    let reply = tokio::time::timeout(LIMIT, review).await.unwrap();
    assert_eq!(reply.unwrap(), None, "there is no answer, and no denial");
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut world = World::start(
        &json!({ "stopTimeout": "10m" }),
        &json!({ "timeout": "30s" }),
    );
    world.sts.set_fault(Some(Fault::Hang));
    let _review = stuck(&world).await;
    world.signal(Signal::SIGTERM);
    world.wait_for_log("stopping: ").await;
    world.signal(Signal::SIGINT);
    assert!(world.ended().success());
    assert!(world.log().contains("stopped at once"), "{}", world.log());
}
