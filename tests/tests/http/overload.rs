//! More than the server takes.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::sts::{Fault, demo};
use bytes::Bytes;
use futures_util::future::join_all;
use http_body_util::{Empty, Full};
use hyper::client::conn::http2;
use hyper::header::RETRY_AFTER;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::world::{LIMIT, World};

/// A key that nobody has.
fn claimed(number: usize) -> AccessKey {
    AccessKey {
        id: AccessKeyId::parse(&format!("LTAIClaimed{number}")).unwrap(),
        ..demo::stranger_key()
    }
}

/// Waits until it `is_so`.
async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, waiting).await.unwrap();
}

#[tokio::test]
async fn while_sts_hangs_the_cached_and_strangers_are_answered_and_others_are_shed() {
    let sts = json!({ "maxCalls": 2, "maxWaiting": 2, "timeout": "30s", "breakerFailures": 0 });
    let world = World::start(&json!({}), &sts);
    let cached = world.token();
    let reply = world.review(&cached).await;
    assert_eq!(reply.body["status"]["authenticated"], true);
    world.sts.clear_requests();
    world.sts.set_fault(Some(Fault::Hang));
    let mut stuck = Vec::new();
    for _ in 0..4 {
        let (webhook, token) = (world.webhook.clone(), world.token());
        stuck.push(tokio::spawn(async move {
            webhook.review(&token).await.unwrap()
        }));
    }
    until(async || {
        world.sts.requests().len() >= 2 && world.metric("sts_queue_waiting", &[]).await >= 2.0
    })
    .await;
    for shed in 1..4 {
        // Of those who wait and the newcomer, a random one makes room.
        let (webhook, token) = (world.webhook.clone(), world.token());
        stuck.push(tokio::spawn(async move {
            webhook.review(&token).await.unwrap()
        }));
        until(async || stuck.iter().any(JoinHandle::is_finished)).await;
        let dropped = stuck.iter().position(JoinHandle::is_finished).unwrap();
        let reply = stuck.swap_remove(dropped).await.unwrap();
        assert_eq!(reply.status, 503, "{reply:?}");
        assert!(!reply.headers.contains_key(RETRY_AFTER));
        assert_eq!(reply.body["kind"], "Status");
        let counted = world
            .metric("requests_shed_total", &[("reason", "sts")])
            .await;
        assert_eq!(counted, f64::from(shed));

        let reply = world.review(&cached).await;
        assert_eq!(reply.body["status"]["authenticated"], true);
        let stranger = Secret::new("eyJhbGciOiJSUzI1NiJ9.e30.c2ln");
        let reply = world.review(&stranger).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.body["status"], json!({ "authenticated": false }));
        assert!(
            world
                .ask_health("/livez")
                .await
                .0
                .starts_with("HTTP/1.1 200 ")
        );
    }
    assert_eq!(world.sts.requests().len(), 2);
    assert!(stuck.iter().all(|review| !review.is_finished()));
    stuck.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn a_flood_of_proxies_keeps_nobody_out_of_the_cluster() {
    let world = World::start(&json!({}), &json!({ "maxCalls": 4, "maxWaiting": 0 }));
    world.sts.set_fault(Some(Fault::Hang));
    let ask = |token: Secret| {
        let proxy = world.webhook.clone();
        async move {
            let request = proxy.request(Method::GET, "/ext-authz/");
            let request = request.header("authorization", format!("Bearer {}", token.expose()));
            proxy.send(request.body(Full::default()).unwrap()).await
        }
    };
    let hangs = tokio::spawn(ask(world.token()));
    until(async || !world.sts.requests().is_empty()).await;
    // There are more places, and none of them is for proxies that were granted no login.
    for _ in 0..3 {
        assert_eq!(ask(world.token()).await.unwrap().status, 503);
    }
    assert_eq!(world.sts.requests().len(), 1);
    world.sts.set_fault(None);
    assert!(world.alice_logs_in().await);
    assert!(!hangs.is_finished());
    hangs.abort();
}

/// The old queue refuses the newcomer, whoever it is.
#[tokio::test]
async fn flood_of_claimed_keys_keeps_nobody_out_who_was_granted_a_login() {
    let world = World::start(&json!({}), &json!({ "maxCalls": 4, "maxWaiting": 4 }));
    assert!(world.alice_logs_in().await);
    let calls = world.sts.requests().len();
    world.sts.set_fault(Some(Fault::Hold));
    let mut flood = Vec::new();
    for number in 0..32 {
        let (webhook, token) = (world.webhook.clone(), world.token_of(&claimed(number)));
        flood.push(tokio::spawn(async move {
            webhook.review(&token).await.unwrap().status
        }));
    }
    // Two are asked about, two wait, and all others have been answered.
    until(async || {
        let answered = flood.iter().filter(|login| login.is_finished()).count();
        world.sts.requests().len() == calls + 2 && answered == 28
    })
    .await;
    let (webhook, token) = (world.webhook.clone(), world.token());
    let alice = tokio::spawn(async move { webhook.review(&token).await.unwrap() });
    until(async || world.sts.requests().len() == calls + 3).await;
    world.sts.set_fault(None);
    let reply = alice.await.unwrap();
    assert_eq!(reply.body["status"]["authenticated"], true, "{reply:?}");
    let mut shed = 0;
    for login in flood {
        shed += usize::from(login.await.unwrap() == 503);
    }
    assert_eq!(shed, 28);
}

/// The old queue refuses the newcomer: a person who was never granted a login stands in a line of its own.
#[tokio::test]
async fn flood_under_one_claimed_key_keeps_no_newcomer_out() {
    let world = World::start(&json!({}), &json!({ "maxCalls": 4, "maxWaiting": 4 }));
    world.sts.set_fault(Some(Fault::Hold));
    let mut flood = Vec::new();
    for _ in 0..32 {
        let (webhook, token) = (world.webhook.clone(), world.token_of(&claimed(0)));
        flood.push(tokio::spawn(async move {
            webhook.review(&token).await.unwrap().status
        }));
    }
    let answered =
        |flood: &[JoinHandle<_>]| flood.iter().filter(|login| login.is_finished()).count();
    until(async || world.sts.requests().len() == 2 && answered(&flood) == 28).await;
    let (webhook, token) = (world.webhook.clone(), world.token());
    let alice = tokio::spawn(async move { webhook.review(&token).await.unwrap() });
    // She waits, and one of the flood has made room.
    until(async || answered(&flood) == 29).await;
    assert!(!alice.is_finished());
    world.sts.set_fault(None);
    let reply = alice.await.unwrap();
    assert_eq!(reply.body["status"]["authenticated"], true, "{reply:?}");
}

/// An attacker whose own tokens make STS fail opens the old breaker for all.
#[tokio::test]
async fn failures_of_one_callers_tokens_open_no_breaker() {
    let attacker = demo::stranger_key();
    for fault in [Fault::InternalError, Fault::CloseBeforeHeaders, Fault::Hang] {
        let patience = if fault == Fault::Hang { "5s" } else { "30s" };
        let sts = json!({ "breakerFailures": 1, "breakerPause": "5m", "timeout": patience });
        let world = World::start(&json!({}), &sts);
        world.sts.set_fault_of_key(&attacker.id, fault.clone());
        let attack = (0..20).map(|_| world.review_of(&attacker));
        for reply in join_all(attack).await {
            assert_eq!(reply.status, 503, "{fault:?}");
        }
        let labels = [("endpoint", &*world.sts.endpoint())];
        let breaker = world.metric("sts_breaker_state", &labels).await;
        assert_eq!(breaker, 0.0, "{fault:?}");
        for _ in 0..20 {
            assert!(world.alice_logs_in().await, "{fault:?}");
        }
        assert!(world.sts.probes().is_empty(), "{fault:?}");
    }
}

#[tokio::test]
async fn idle_connections_keep_nobody_out() {
    let world = World::start(
        &json!({ "maxConnections": 16, "maxHealthConnections": 4 }),
        &json!({}),
    );
    let mut idle = Vec::new();
    for round in 0..5 {
        for _ in 0..40 {
            idle.push(TcpStream::connect(("127.0.0.1", world.port)).await.unwrap());
            idle.push(world.connect_to_health().await);
        }
        assert!(world.alice_logs_in().await, "{round}");
        assert!(
            world
                .ask_health("/livez")
                .await
                .0
                .starts_with("HTTP/1.1 200 ")
        );
    }
    // Some may not have been taken yet: those who log in may do so on a connection of before.
    let evicted = "connections_evicted_total";
    until(async || world.metric(evicted, &[("port", "webhook")]).await >= 184.0).await;
    assert!(world.metric("connections", &[("port", "webhook")]).await <= 16.0);
    assert!(world.metric("connections", &[("port", "health")]).await <= 4.0);
}

#[tokio::test]
async fn answers_that_nobody_reads_fill_no_memory() {
    let world = World::start(&json!({}), &json!({}));
    let stream = TokioIo::new(world.connect(b"h2").await);
    let handshake = http2::Builder::new(TokioExecutor::new())
        // Of each answer it takes one byte.
        .initial_stream_window_size(1)
        .handshake(stream);
    let (mut webhook, connection) = handshake.await.unwrap();
    tokio::spawn(connection);
    let mut metrics = async || -> Response<hyper::body::Incoming> {
        let request = Request::get("https://localhost/metrics");
        let request = request.body(Empty::<Bytes>::new()).unwrap();
        webhook.send_request(request).await.unwrap()
    };
    let mut unread = Vec::new();
    loop {
        let answer = metrics().await;
        if answer.status() == 503 {
            break;
        }
        assert_eq!(answer.status(), 200);
        unread.push(answer);
        assert!(unread.len() <= 64);
    }
    assert!(world.alice_logs_in().await);
    let (head, text) = world.ask_health("/metrics").await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let shed = r#"ack_ram_authenticator_requests_shed_total{reason="scrapes"} 1"#;
    assert!(text.contains(shed), "{text}");
    drop(unread);
    until(async || metrics().await.status() == 200).await;
}

#[tokio::test]
async fn the_health_port_takes_few_requests_at_once_over_http_2() {
    let world = World::start(&json!({}), &json!({}));
    let mut stream = world.connect_to_health().await;
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    // A frame of settings (RFC 9113, 6.5), and in it how many streams there may be.
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], 4);
    let mut settings = vec![0; usize::from(head[2])];
    stream.read_exact(&mut settings).await.unwrap();
    let is_bound = |setting: &[u8]| setting == [0, 3, 0, 0, 0, 8];
    assert!(settings.chunks(6).any(is_bound), "{settings:?}");
}
