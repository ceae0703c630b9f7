//! The share of logins that are granted while 2,000 concurrent tokens of other users flood the server and STS takes a
//! second per call. Each flood token is replaced by the next as soon as it is answered. The tests run through the real
//! binary and through a real kube-apiserver.
//!
//! `cargo xtask release-check` runs these tests and shows their tables.

mod attack;
mod fixture;
mod front;

use ack_ram_core::review::ReviewVersion;
use ack_ram_tests::cluster::Cluster;
use serde_json::json;

use attack::Attack;
use fixture::{front, start};
use front::Front;

const IN_FLIGHT: usize = 2_000;

const ATTACKS: [Attack; 5] = [
    Attack::OneKey,
    Attack::ManyKeys,
    Attack::UnmappedKeys,
    Attack::VictimsPermanentKey,
    Attack::VictimsTemporaryKey,
];

#[tokio::test(flavor = "multi_thread")]
async fn victim_gets_its_share_through_the_binary() {
    for attack in ATTACKS {
        let fixture = start(&json!({}));
        let shares = attack.run(&fixture, &front(&fixture), IN_FLIGHT).await;
        println!("{attack:?}, {IN_FLIGHT} in flight: {shares}");
        let case = format!("{attack:?}");
        match attack {
            // The victim waits in the same line as the tokens that claim its key ID.
            Attack::VictimsPermanentKey => shares.check_half(&case),
            _ => shares.check(&case),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn granted_victim_gets_its_share_with_low_limits() {
    for attack in [
        Attack::OneKey,
        Attack::ManyKeys,
        Attack::VictimsPermanentKey,
    ] {
        let fixture = start(&json!({ "maxCalls": 64, "maxWaiting": 64 }));
        let shares = attack.run(&fixture, &front(&fixture), IN_FLIGHT).await;
        println!("{attack:?}, {IN_FLIGHT} in flight, limits of 64 and 64: {shares}");
        if !matches!(attack, Attack::VictimsPermanentKey) {
            shares.check_granted(&format!("{attack:?}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn victim_gets_its_share_through_kube_apiserver() {
    let fixture = start(&json!({}));
    let kubeconfig = fixture.path("webhook.kubeconfig");
    let starting = move || {
        let builder = Cluster::builder().webhook(&kubeconfig, ReviewVersion::V1);
        builder.start()
    };
    let cluster = tokio::task::spawn_blocking(starting).await.unwrap();
    let front = Front::of_cluster(&cluster);
    let attack = Attack::ManyKeys;
    let shares = attack.run(&fixture, &front, IN_FLIGHT).await;
    println!("kube-apiserver, {attack:?}, {IN_FLIGHT} in flight: {shares}");
    shares.check("kube-apiserver");
    tokio::task::spawn_blocking(move || drop(cluster))
        .await
        .unwrap();
}
