//! Several workers, each with its own queue, calls and cache: nobody gets the answer that was for somebody else.

use std::time::Duration;

use ack_ram_tests::envoy::{Module, Protocol};
use ack_ram_tests::eventually::LIMIT;
use ack_ram_tests::sts::{Fault, demo};
use futures_util::future::join_all;
use serde_json::json;

use crate::fixture::{EnvoyFixture, MAIN, bearer, listener};

const WORKERS: u8 = 4;
const ROUNDS: usize = 8;
const AT_ONCE: usize = 48;
#[tokio::test]
async fn identities_are_kept_apart_on_every_worker() {
    let main = listener(MAIN, Module::Small, |settings| {
        // However slow the machine is.
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
    let (mut granted, mut refused, mut gone) = (0, 0, 0);
    for round in 0..ROUNDS {
        let requests = (0..AT_ONCE).map(async |place| {
            let (name, key, username) = &callers[place % callers.len()];
            let token = bearer(&fixture.token_of(key));
            let client = fixture.client(match place % 2 {
                0 => Protocol::Http1,
                _ => Protocol::Http2,
            });
            let (path, headers) = (format!("/{name}/{round}"), [("authorization", &*token)]);
            let answer = client.get(&path, &headers);
            // Every fifth goes away while it waits, so that its stream is another's soon.
            let patience = if place % 5 == 0 {
                Duration::from_millis(15)
            } else {
                LIMIT
            };
            let answer = tokio::time::timeout(patience, answer).await;
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
                None => gone += 1,
            }
        }
        for seen in fixture.service.take() {
            let (name, _, username) = callers
                .iter()
                .find(|(name, ..)| seen.target.starts_with(&format!("/{name}/")))
                .unwrap();
            let username = username.unwrap_or_else(|| panic!("{name} got in: {seen:?}"));
            assert_eq!(seen.all("x-remote-user"), [username], "{seen:?}");
        }
    }
    println!(
        "{WORKERS} workers: {granted} let in, {refused} refused, {gone} gone while they waited"
    );
    assert!(granted > 150 && refused > 80 && gone > 40);
    fixture.wait_until_nobody_waits().await;
}
