//! Several workers, each with a queue, calls, and a cache of its own. No request gets the answer to another one.

use std::time::Duration;

use ack_ram_tests::envoy::{Module, Protocol};
use ack_ram_tests::eventually::LIMIT;
use ack_ram_tests::sts::{Fault, demo};
use futures_util::future::join_all;
use serde_json::json;

use crate::fixture::{EnvoyFixture, MAIN, bearer, listener};

const WORKERS: u8 = 4;
const ROUNDS: usize = 8;
const CONCURRENT_REQUESTS: usize = 48;
#[tokio::test]
async fn identities_are_kept_apart_on_every_worker() {
    let main = listener(MAIN, Module::Small, |settings| {
        // Long enough for a slow machine.
        settings["sts"]["timeoutMilliseconds"] = json!(30_000);
    });
    let fixture = EnvoyFixture::with_workers(WORKERS, &[main]);
    fixture
        .sts
        .set_fault(Some(Fault::Delay(Duration::from_millis(150))));
    let callers = [
        ("alice", demo::user_key(), Some("alice")),
        (
            "session",
            demo::session_key(),
            Some("dev:alice-example.com"),
        ),
        ("stranger", demo::stranger_key(), None),
    ];
    let (mut granted, mut refused, mut disconnected) = (0, 0, 0);
    for round in 0..ROUNDS {
        let requests = (0..CONCURRENT_REQUESTS).map(async |index| {
            let (name, key, username) = &callers[index % callers.len()];
            let token = bearer(&fixture.token_of(key));
            let client = fixture.client(match index % 2 {
                0 => Protocol::Http1,
                _ => Protocol::Http2,
            });
            let (path, headers) = (format!("/{name}/{round}"), [("authorization", &*token)]);
            let answer = client.get(&path, &headers);
            // Every fifth client disconnects while it waits, so that another request soon reuses its stream.
            let limit = if index % 5 == 0 {
                Duration::from_millis(15)
            } else {
                LIMIT
            };
            let answer = tokio::time::timeout(limit, answer).await;
            answer.ok().map(|answer| {
                let status = answer.unwrap().status.as_u16();
                let expected = if username.is_some() { 200 } else { 401 };
                assert_eq!(status, expected, "{path}");
                status
            })
        });
        for status in join_all(requests).await {
            match status {
                Some(200) => granted += 1,
                Some(_) => refused += 1,
                None => disconnected += 1,
            }
        }
        for received in fixture.service.take() {
            let (name, _, username) = callers
                .iter()
                .find(|(name, ..)| received.target.starts_with(&format!("/{name}/")))
                .unwrap();
            let username = username.unwrap_or_else(|| panic!("{name} was granted: {received:?}"));
            assert_eq!(received.all("x-remote-user"), [username], "{received:?}");
        }
    }
    println!(
        "{WORKERS} workers: {granted} granted, {refused} refused, {disconnected} disconnected while they waited"
    );
    assert!(granted > 150 && refused > 80 && disconnected > 40);
    fixture.wait_until_no_request_waits().await;
}
