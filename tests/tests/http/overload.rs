//! Overload: more requests and connections than the server accepts.

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::eventually::eventually;
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

use crate::fixture::{connect, connect_to_health, start};

/// Returns a key that does not exist.
fn claimed(number: usize) -> AccessKey {
    AccessKey {
        id: AccessKeyId::parse(&format!("LTAIClaimed{number}")).unwrap(),
        ..demo::stranger_key()
    }
}

#[tokio::test]
async fn hanging_sts_sheds_new_tokens_and_answers_cached_ones() {
    let sts = json!({ "maxCalls": 2, "maxWaiting": 2, "timeout": "30s", "breakerFailures": 0 });
    let fixture = start(&json!({}), &sts);
    let cached = fixture.token();
    let reply = fixture.review(&cached).await;
    assert_eq!(reply.body["status"]["authenticated"], true);
    fixture.sts.clear_requests();
    fixture.sts.set_fault(Some(Fault::Hang));
    let mut stuck = Vec::new();
    for _ in 0..4 {
        let (webhook, token) = (fixture.webhook().clone(), fixture.token());
        stuck.push(tokio::spawn(async move {
            webhook.review(&token).await.unwrap()
        }));
    }
    eventually("two calls, two waiting", async || {
        fixture.sts.requests().len() >= 2 && fixture.metric("sts_queue_waiting", &[]).await >= 2.0
    })
    .await;
    for shed in 1..4 {
        // A random request is shed: one of those that wait, or the new one.
        let (webhook, token) = (fixture.webhook().clone(), fixture.token());
        stuck.push(tokio::spawn(async move {
            webhook.review(&token).await.unwrap()
        }));
        eventually("a login is shed", async || {
            stuck.iter().any(JoinHandle::is_finished)
        })
        .await;
        let dropped = stuck.iter().position(JoinHandle::is_finished).unwrap();
        let reply = stuck.swap_remove(dropped).await.unwrap();
        assert_eq!(reply.status, 503, "{reply:?}");
        assert!(!reply.headers.contains_key(RETRY_AFTER));
        assert_eq!(reply.body["kind"], "Status");
        let counted = fixture
            .metric("requests_shed_total", &[("reason", "sts")])
            .await;
        assert_eq!(counted, f64::from(shed));

        let reply = fixture.review(&cached).await;
        assert_eq!(reply.body["status"]["authenticated"], true);
        let stranger = Secret::new("eyJhbGciOiJSUzI1NiJ9.e30.c2ln");
        let reply = fixture.review(&stranger).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.body["status"], json!({ "authenticated": false }));
        assert_eq!(fixture.ask_health("/livez").await.status, 200);
    }
    assert_eq!(fixture.sts.requests().len(), 2);
    assert!(stuck.iter().all(|review| !review.is_finished()));
    stuck.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn flood_of_proxies_keeps_cluster_logins_working() {
    let fixture = start(&json!({}), &json!({ "maxCalls": 4, "maxWaiting": 0 }));
    fixture.sts.set_fault(Some(Fault::Hang));
    let ask = |token: Secret| {
        let proxy = fixture.webhook().clone();
        async move {
            let request = proxy.request(Method::GET, "/ext-authz/");
            let request = request.header("authorization", format!("Bearer {}", token.expose()));
            proxy.send(request.body(Full::default()).unwrap()).await
        }
    };
    let hangs = tokio::spawn(ask(fixture.token()));
    eventually("a call is in flight", async || {
        !fixture.sts.requests().is_empty()
    })
    .await;
    // The other slots are not available to proxies without a granted login.
    for _ in 0..3 {
        assert_eq!(ask(fixture.token()).await.unwrap().status, 503);
    }
    assert_eq!(fixture.sts.requests().len(), 1);
    fixture.sts.set_fault(None);
    assert!(fixture.alice_is_granted().await);
    assert!(!hangs.is_finished());
    hangs.abort();
}

/// A plain queue would refuse every new caller.
#[tokio::test]
async fn flood_of_claimed_keys_keeps_granted_callers_working() {
    let fixture = start(&json!({}), &json!({ "maxCalls": 4, "maxWaiting": 4 }));
    assert!(fixture.alice_is_granted().await);
    let calls = fixture.sts.requests().len();
    fixture.sts.set_fault(Some(Fault::Hold));
    let mut flood = Vec::new();
    for number in 0..32 {
        let (webhook, token) = (
            fixture.webhook().clone(),
            fixture.token_of(&claimed(number)),
        );
        flood.push(tokio::spawn(async move {
            webhook.review(&token).await.unwrap().status
        }));
    }
    // Two calls are in flight, two wait, and all others were shed.
    eventually("28 logins are shed", async || {
        let answered = flood.iter().filter(|login| login.is_finished()).count();
        fixture.sts.requests().len() == calls + 2 && answered == 28
    })
    .await;
    let (webhook, token) = (fixture.webhook().clone(), fixture.token());
    let alice = tokio::spawn(async move { webhook.review(&token).await.unwrap() });
    eventually("the call for Alice", async || {
        fixture.sts.requests().len() == calls + 3
    })
    .await;
    fixture.sts.set_fault(None);
    let reply = alice.await.unwrap();
    assert_eq!(reply.body["status"]["authenticated"], true, "{reply:?}");
    let mut shed = 0;
    for login in flood {
        shed += usize::from(login.await.unwrap() == 503);
    }
    assert_eq!(shed, 28);
}

/// A plain queue would refuse every new caller. Here, a caller without a granted login has its own queue.
#[tokio::test]
async fn flood_of_one_claimed_key_keeps_newcomers_working() {
    let fixture = start(&json!({}), &json!({ "maxCalls": 4, "maxWaiting": 4 }));
    fixture.sts.set_fault(Some(Fault::Hold));
    let mut flood = Vec::new();
    for _ in 0..32 {
        let (webhook, token) = (fixture.webhook().clone(), fixture.token_of(&claimed(0)));
        flood.push(tokio::spawn(async move {
            webhook.review(&token).await.unwrap().status
        }));
    }
    let answered =
        |flood: &[JoinHandle<_>]| flood.iter().filter(|login| login.is_finished()).count();
    eventually("28 logins are shed", async || {
        fixture.sts.requests().len() == 2 && answered(&flood) == 28
    })
    .await;
    let (webhook, token) = (fixture.webhook().clone(), fixture.token());
    let alice = tokio::spawn(async move { webhook.review(&token).await.unwrap() });
    // Alice waits, and a request of the flood was shed for her.
    eventually("one more login is shed", async || answered(&flood) == 29).await;
    assert!(!alice.is_finished());
    fixture.sts.set_fault(None);
    let reply = alice.await.unwrap();
    assert_eq!(reply.body["status"]["authenticated"], true, "{reply:?}");
}

/// With a plain circuit breaker, an attacker whose tokens make STS fail would block all callers.
#[tokio::test]
async fn failures_of_one_caller_open_no_breaker() {
    let attacker = demo::stranger_key();
    for fault in [Fault::InternalError, Fault::CloseBeforeHeaders, Fault::Hang] {
        let patience = if fault == Fault::Hang { "5s" } else { "30s" };
        let sts = json!({ "breakerFailures": 1, "breakerPause": "5m", "timeout": patience });
        let fixture = start(&json!({}), &sts);
        fixture.sts.set_fault_of_key(&attacker.id, fault.clone());
        let attack = (0..20).map(|_| fixture.review_of(&attacker));
        for reply in join_all(attack).await {
            assert_eq!(reply.status, 503, "{fault:?}");
        }
        let labels = [("endpoint", &*fixture.sts.endpoint())];
        let breaker = fixture.metric("sts_breaker_state", &labels).await;
        assert_eq!(breaker, 0.0, "{fault:?}");
        for _ in 0..20 {
            assert!(fixture.alice_is_granted().await, "{fault:?}");
        }
        assert!(fixture.sts.probes().is_empty(), "{fault:?}");
    }
}

#[tokio::test]
async fn idle_connections_are_evicted_for_logins() {
    let fixture = start(
        &json!({ "maxConnections": 16, "maxHealthConnections": 4 }),
        &json!({}),
    );
    let mut idle = Vec::new();
    for round in 0..5 {
        for _ in 0..40 {
            idle.push(
                TcpStream::connect(("127.0.0.1", fixture.port))
                    .await
                    .unwrap(),
            );
            idle.push(connect_to_health(&fixture).await);
        }
        assert!(fixture.alice_is_granted().await, "{round}");
        assert_eq!(fixture.ask_health("/livez").await.status, 200);
    }
    // The server may not have accepted all connections yet, because a login may use an older connection.
    let evicted = "connections_evicted_total";
    eventually("the evictions", async || {
        fixture.metric(evicted, &[("port", "webhook")]).await >= 184.0
    })
    .await;
    assert!(fixture.metric("connections", &[("port", "webhook")]).await <= 16.0);
    assert!(fixture.metric("connections", &[("port", "health")]).await <= 4.0);
}

#[tokio::test]
async fn unread_answers_fill_no_memory() {
    let fixture = start(&json!({}), &json!({}));
    let stream = TokioIo::new(connect(&fixture, b"h2").await);
    let handshake = http2::Builder::new(TokioExecutor::new())
        // The client accepts one byte of each reply.
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
    assert!(fixture.alice_is_granted().await);
    let scraped = fixture.ask_health("/metrics").await;
    assert_eq!(scraped.status, 200, "{scraped:?}");
    let shed = r#"ack_ram_authenticator_requests_shed_total{reason="scrapes"} 1"#;
    assert!(scraped.body.contains(shed), "{scraped:?}");
    drop(unread);
    eventually("metrics are served again", async || {
        metrics().await.status() == 200
    })
    .await;
}

#[tokio::test]
async fn health_port_limits_http_2_streams() {
    let fixture = start(&json!({}), &json!({}));
    let mut stream = connect_to_health(&fixture).await;
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .unwrap();
    // A SETTINGS frame (RFC 9113, 6.5), which contains the maximum number of streams.
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], 4);
    let mut settings = vec![0; usize::from(head[2])];
    stream.read_exact(&mut settings).await.unwrap();
    let is_max_streams = |setting: &[u8]| setting == [0, 3, 0, 0, 0, 8];
    assert!(settings.chunks(6).any(is_max_streams), "{settings:?}");
}
