//! The filter handles the errors of STS in `tests/vectors/sts-errors.json`. `tests/tests/logins.rs` tests the same for
//! `core`, `host/src/authenticator/tests/answers.rs` for the server, and `tests/src/sts/refusal.rs` for the emulator.

use std::time::Duration;

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::gateway::RefusalKind;
use ack_ram_core::sign;
use ack_ram_core::sts::StsReply;
use ack_ram_core::time::UnixTime;
use ack_ram_envoy::request::RequestHeaders;
use ack_ram_envoy::worker::RequestAction;
use ack_ram_envoy::{Settings, Worker};
use ack_ram_tests::sts::demo;
use ack_ram_tests::vectors;
use serde_json::json;

/// 2026-11-24T12:00:00Z.
const NOW: u64 = 1_795_521_600;

#[test]
fn filter_refuses_each_sts_error_and_caches_none() {
    let cluster = ClusterId::parse("c1").unwrap();
    let time = UnixTime::from_seconds(NOW.cast_signed());
    let token = sign::sign_token_v2(&demo::user_key(), &cluster, "test", time).unwrap();
    let bearer = format!("Bearer {}", token.expose());
    let headers = [(":path", "/x"), ("authorization", &bearer)];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    let settings = json!({
        "clusterID": "c1",
        "sts": { "cluster": "sts" },
        "mapUsers": [{ "userARN": "acs:ram::1234567890123456:user/alice", "username": "alice" }],
    });
    let now = Duration::from_secs(NOW);
    for error in vectors::sts_errors() {
        let name = &error.name;
        let settings = Settings::parse(settings.to_string().as_bytes()).unwrap();
        let mut worker = Worker::new(settings);
        let arrival = worker.plan_request(1, RequestHeaders(&headers), now);
        assert!(matches!(arrival.action, RequestAction::Wait), "{name}");
        let call = worker.next_call().unwrap();
        worker.mark_sent(call, 7, now);
        let reply = StsReply::Response {
            status: error.status,
            body: error.body.as_bytes(),
        };
        let resumed = worker.complete_call(7, reply, now).resumed;
        let RequestAction::Refuse(refusal, _) = &resumed[0].action else {
            panic!("{name}: {resumed:?}");
        };
        let expected = if error.is_denial() {
            RefusalKind::InvalidToken
        } else {
            RefusalKind::Unavailable
        };
        assert_eq!(refusal.kind(), expected, "{name}: {refusal:?}");
        let arrival = worker.plan_request(2, RequestHeaders(&headers), now);
        assert!(matches!(arrival.action, RequestAction::Wait), "{name}");
    }
}
