//! More than the server takes.

use ack_ram_core::secret::Secret;
use ack_ram_tests::sts::Fault;
use hyper::header::RETRY_AFTER;
use serde_json::json;
use tokio::net::TcpStream;

use crate::world::World;

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
    while world.sts.requests().len() < 2 || world.metric("sts_queue_waiting", &[]).await < 2.0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    for shed in 1..4 {
        let reply = world.review(&world.token()).await;
        assert_eq!(reply.status, 503, "{reply:?}");
        assert!(!reply.headers.contains_key(RETRY_AFTER));
        assert_eq!(reply.body["kind"], "Status");
        let message = reply.body["message"].as_str().unwrap();
        assert!(message.contains("is overloaded"), "{message}");
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
    stuck.iter().for_each(tokio::task::JoinHandle::abort);
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
    assert!(world.metric("connections", &[("port", "webhook")]).await <= 16.0);
    assert!(world.metric("connections", &[("port", "health")]).await <= 4.0);
    assert!(
        world
            .metric("connections_evicted_total", &[("port", "webhook")])
            .await
            >= 184.0
    );
}
