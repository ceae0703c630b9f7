//! Nothing grows, whatever comes.

use std::time::Duration;

use ack_ram_tests::envoy::{Module, Protocol};
use ack_ram_tests::sts::demo;
use ack_ram_tests::usage::Usage;
use futures_util::future::join_all;
use serde_json::json;

use crate::fixture::{EnvoyFixture, MAIN, bearer, listener};

const ROUNDS: usize = 12;
const AT_ONCE: usize = 16;
const TIMES: usize = 60;
/// Allocators keep some of what they had.
const SLACK_KIB: u64 = 12 * 1024;

#[tokio::test]
async fn memory_stays_constant_under_load() {
    let fixture = EnvoyFixture::with_listeners(&[listener(MAIN, Module::WithCel, |settings| {
        settings["sts"]["timeoutMilliseconds"] = json!(30_000);
        settings["cache"] = json!({ "size": 500 });
        settings["mapRules"] = json!([{
            "match": "identity.accountId == '1' && identity.userName.startsWith('x')",
            "username": "nobody",
        }]);
    })]);
    let known = bearer(&fixture.token());
    let mut sizes = Vec::new();
    for _ in 0..ROUNDS {
        for time in 0..TIMES {
            let requests = (0..AT_ONCE).map(async |place| {
                let protocol = match place % 2 {
                    0 => Protocol::Http1,
                    _ => Protocol::Http2,
                };
                let client = fixture.client(protocol);
                let (token, expected) = match place % 5 {
                    0 => (bearer(&fixture.token()), 200),
                    1 => (bearer(&fixture.token_of(&demo::stranger_key())), 401),
                    2 => (format!("Bearer k8s-ack-v2.{time}"), 401),
                    _ => (known.clone(), 200),
                };
                let headers = [("authorization", &*token)];
                if place == 10 {
                    // Goes away while it waits.
                    let gone = client.get("/", &headers);
                    let _ = tokio::time::timeout(Duration::from_millis(1), gone).await;
                } else {
                    let answer = client.get("/", &headers).await.unwrap();
                    assert_eq!(answer.status, expected, "{answer:?}");
                }
            });
            join_all(requests).await;
            fixture.service.take();
            fixture.envoy.forget_log();
        }
        sizes.push(
            Usage::read_process(fixture.envoy.pid())
                .unwrap()
                .resident_kib,
        );
    }
    println!(
        "resident KiB after each {} requests: {sizes:?}",
        TIMES * AT_ONCE
    );
    // By then all that is bounded is full.
    let warm = sizes[ROUNDS / 2];
    assert!(sizes[ROUNDS - 1] < warm + SLACK_KIB, "{sizes:?}");
    // STS may still be asked for one that has gone.
    fixture.wait_until_nobody_waits().await;
    assert!(fixture.envoy.stat("wasmcustom.ack_ram.cached") <= 500);
}
