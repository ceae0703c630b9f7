//! Memory does not grow under any load.

use std::time::Duration;

use ack_ram_tests::envoy::{Module, Protocol};
use ack_ram_tests::sts::demo;
use ack_ram_tests::usage::Usage;
use futures_util::future::join_all;
use serde_json::json;

use crate::fixture::{EnvoyFixture, MAIN, bearer, listener};

const ROUNDS: usize = 12;
const CONCURRENT_REQUESTS: usize = 16;
const TIMES: usize = 60;
/// Allocators keep some of the freed memory.
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
            let requests = (0..CONCURRENT_REQUESTS).map(async |index| {
                let protocol = match index % 2 {
                    0 => Protocol::Http1,
                    _ => Protocol::Http2,
                };
                let client = fixture.client(protocol);
                let (token, expected) = match index % 5 {
                    0 => (bearer(&fixture.token()), 200),
                    1 => (bearer(&fixture.token_of(&demo::stranger_key())), 401),
                    2 => (format!("Bearer k8s-ack-v2.{time}"), 401),
                    _ => (known.clone(), 200),
                };
                let headers = [("authorization", &*token)];
                if index == 10 {
                    // The client disconnects while it waits.
                    let disconnected = client.get("/", &headers);
                    let _ = tokio::time::timeout(Duration::from_millis(1), disconnected).await;
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
        TIMES * CONCURRENT_REQUESTS
    );
    // From this round on, all bounded structures are full.
    let warm = sizes[ROUNDS / 2];
    assert!(sizes[ROUNDS - 1] < warm + SLACK_KIB, "{sizes:?}");
    // A call to STS may still be in flight for a client that has disconnected.
    fixture.wait_until_no_request_waits().await;
    assert!(fixture.envoy.stat("wasmcustom.ack_ram.cached") <= 500);
}
