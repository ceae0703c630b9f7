//! Requests that cost their sender nothing, more of them than a disk should have to take.

use std::time::Instant;

use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::authenticator::Authenticator;
use ack_ram_tests::sts::demo;
use bytes::Bytes;
use futures_util::future::join_all;
use hyper::Method;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::world::{SOON, World, is_granted, metrics, objects};

/// Denied before any call to STS.
const GARBAGE: &str = "k8s-ack-v2.e30=";
const GARBAGE_RESULT: &str = "token_missing_field";

#[tokio::test]
async fn flood_of_free_denials_is_summarized_and_every_decision_counted() {
    let world = World::new();
    let mut server = Authenticator::start_with(world.server()).unwrap();
    let webhook = world.webhook();
    let deadline = Instant::now() + SOON;
    let garbage = Secret::new(GARBAGE);
    let is_summary = |line: &Value| line["count"].is_u64();
    let mut sent = 0_u32;
    // However slow the machine is, it gets to more in a second than may have lines of their own.
    while !objects(&world.audit).iter().any(is_summary) {
        assert!(Instant::now() < deadline, "no summary after {sent}");
        for reply in join_all((0..500).map(|_| webhook.review(&garbage))).await {
            assert!(!is_granted(&reply.unwrap()));
        }
        let strange = || {
            let request = webhook.request(Method::GET, "/nothing");
            webhook.send(request.body(Bytes::new().into()).unwrap())
        };
        for reply in join_all((0..500).map(|_| strange())).await {
            assert_eq!(reply.unwrap().status, 404);
        }
        sent += 500;
    }
    // A decision for which STS was asked, and a grant, have lines of their own whatever else happens.
    let wrong_secret = AccessKey {
        secret: Secret::new("not-the-secret"),
        ..demo::user_key()
    };
    let (refused, granted) = (world.token(&wrong_secret), world.token(&demo::user_key()));
    let flood = join_all((0..500).map(|_| webhook.review(&garbage)));
    let (_, refusal, grant) =
        tokio::join!(flood, webhook.review(&refused), webhook.review(&granted));
    assert!(!is_granted(&refusal.unwrap()) && is_granted(&grant.unwrap()));
    sent += 500;

    let decisions = metrics(&webhook).await;
    let denied = decisions.value(
        "ack_ram_authenticator_decisions_total",
        &[("decision", "denied")],
    );
    assert_eq!(denied, Some(f64::from(sent + 1)));
    // The end of the server writes what was counted.
    kill(
        Pid::from_raw(server.pid().try_into().unwrap()),
        Signal::SIGTERM,
    )
    .unwrap();
    assert!(server.wait(SOON).unwrap().success());

    let audit = objects(&world.audit);
    let log: Vec<Value> = server
        .log()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for lines in [&audit, &log] {
        let of_flood = lines.iter().filter(|line| line["result"] == GARBAGE_RESULT);
        let counted: u64 = of_flood
            .map(|line| line["count"].as_u64().unwrap_or(1))
            .sum();
        assert_eq!(counted, u64::from(sent));
        for token in [&refused, &granted] {
            let reference = Fingerprint::from_text(token.expose()).to_string();
            let own = lines.iter().filter(|line| line["reference"] == *reference);
            assert_eq!(own.count(), 1);
        }
    }
    let rejected = log.iter().filter(|line| line["status"] == 404);
    let counted: u64 = rejected
        .map(|line| line["count"].as_u64().unwrap_or(1))
        .sum();
    assert_eq!(counted, u64::from(sent - 500));
    assert!(
        log.iter()
            .any(|line| line["status"] == 404 && line["count"].is_u64())
    );
    for summary in audit.iter().filter(|line| is_summary(line)) {
        assert_eq!(summary["decision"], "denied", "{summary}");
        assert_eq!(
            summary["reference"],
            Fingerprint::from_text(GARBAGE).to_string()
        );
        let second = summary["second"].as_str().unwrap();
        assert!(second.len() == 20 && second.ends_with('Z'), "{summary}");
    }
}
