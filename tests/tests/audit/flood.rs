//! A flood of requests that cost the sender nothing: more than a disk should have to record.

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

use crate::fixture::{LIMIT, audit_file, objects, prepare, server_command};

/// A token that is denied before any call to STS.
const GARBAGE: &str = "k8s-ack-v2.e30=";
const GARBAGE_RESULT: &str = "token_missing_field";

#[tokio::test]
async fn flood_of_free_denials_is_summarized_and_counted() {
    let fixture = prepare();
    let mut server = Authenticator::start_with(server_command(&fixture)).unwrap();
    let webhook = fixture.new_webhook();
    let deadline = Instant::now() + LIMIT;
    let garbage = Secret::new(GARBAGE);
    let is_summary = |line: &Value| line["count"].is_u64();
    let mut sent = 0_u32;
    // Even a slow machine handles more denials per second than get lines of their own.
    while !objects(&audit_file(&fixture)).iter().any(is_summary) {
        assert!(Instant::now() < deadline, "no summary after {sent}");
        for reply in join_all((0..500).map(|_| webhook.review(&garbage))).await {
            assert!(!reply.unwrap().is_granted());
        }
        let unknown_path = || {
            let request = webhook.request(Method::GET, "/nothing");
            webhook.send(request.body(Bytes::new().into()).unwrap())
        };
        for reply in join_all((0..500).map(|_| unknown_path())).await {
            assert_eq!(reply.unwrap().status, 404);
        }
        sent += 500;
    }
    // A decision that needed an STS call, and a grant, always have a line of their own.
    let wrong_secret = AccessKey {
        secret: Secret::new("not-the-secret"),
        ..demo::user_key()
    };
    let (refused, granted) = (fixture.token_of(&wrong_secret), fixture.token());
    let flood = join_all((0..500).map(|_| webhook.review(&garbage)));
    let (_, refusal, grant) =
        tokio::join!(flood, webhook.review(&refused), webhook.review(&granted));
    assert!(!refusal.unwrap().is_granted() && grant.unwrap().is_granted());
    sent += 500;

    let decisions = webhook.metrics().await;
    let denied = decisions.value(
        "ack_ram_authenticator_decisions_total",
        &[("decision", "denied")],
    );
    assert_eq!(denied, Some(f64::from(sent + 1)));
    // The server writes the outstanding summaries when it stops.
    kill(
        Pid::from_raw(server.pid().try_into().unwrap()),
        Signal::SIGTERM,
    )
    .unwrap();
    assert!(server.wait(LIMIT).unwrap().success());

    let audit = objects(&audit_file(&fixture));
    let log: Vec<Value> = server
        .log()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for lines in [&audit, &log] {
        let flood_lines = lines.iter().filter(|line| line["result"] == GARBAGE_RESULT);
        let counted: u64 = flood_lines
            .map(|line| line["count"].as_u64().unwrap_or(1))
            .sum();
        assert_eq!(counted, u64::from(sent));
        for token in [&refused, &granted] {
            let reference = Fingerprint::from_text(token.expose()).to_string();
            let own_lines = lines.iter().filter(|line| line["reference"] == *reference);
            assert_eq!(own_lines.count(), 1);
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
