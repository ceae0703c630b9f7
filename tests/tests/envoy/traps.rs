//! A filter that traps at any point grants no access, leaves no request waiting, and recovers.

use std::time::{Duration, Instant};

use ack_ram_tests::envoy::{EnvoyClient, Module, Protocol};
use ack_ram_tests::eventually::{LIMIT, eventually};
use ack_ram_tests::sts::Fault;
use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::Request;
use hyper::body::Frame;
use hyper::header::{HeaderMap, HeaderValue};
use serde_json::json;

use crate::fixture::{EnvoyFixture, MAIN, bearer, listener};

#[tokio::test]
async fn trap_grants_no_access_and_filter_recovers() {
    let main = listener(MAIN, Module::WithTraps, |_| ()).with_request_timeout("8s");
    let fixture = EnvoyFixture::with_listeners(&[main]);
    println!("trap in                     answer  waiting requests   recovery");
    for place in [
        "on_http_request_headers",
        "on_http_request_body",
        "on_http_request_trailers",
        "on_queue_ready",
        "on_http_call_response",
        "create_http_context",
        "on_delete",
    ] {
        let client = fixture.client(Protocol::Http2);
        // Other requests wait for STS when the filter traps.
        fixture
            .sts
            .fault_next(3, Fault::Delay(Duration::from_secs(1)));
        let waiting: Vec<String> = (0..3).map(|_| bearer(&fixture.token())).collect();
        let others = join_all(waiting.iter().map(async |token| {
            let headers = [("authorization", &**token)];
            let answer = client.get("/other", &headers);
            let answer = tokio::time::timeout(LIMIT, answer).await;
            let answer = answer.unwrap_or_else(|_| panic!("{place}: no answer"));
            answer.ok().map(|answer| answer.status.as_u16())
        }));
        let trap = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let token = bearer(&fixture.token());
            let answer =
                tokio::time::timeout(LIMIT, send_trapping_request(&client, place, &token)).await;
            let answer = answer.unwrap_or_else(|_| panic!("{place}: no answer"));
            // The trap may affect only the next request.
            let next = tokio::time::timeout(LIMIT, client.get("/next", &[])).await;
            let next = next.unwrap_or_else(|_| panic!("{place}: no answer"));
            assert!(!next.is_ok_and(|answer| answer.status == 200), "{place}");
            (answer, time_until_recovery(&fixture, &client, place).await)
        };
        let ((answer, recovery), others) = tokio::join!(trap, others);
        let received = fixture.service.take();
        let passed: Vec<&str> = received.iter().map(|received| &*received.target).collect();
        assert!(!passed.contains(&"/next"), "{place}: {passed:?}");
        // These traps come after the request has been granted or has ended.
        let is_late = ["create_http_context", "on_delete"].contains(&place);
        assert_eq!(answer == Some(200), is_late, "{place}: {answer:?}");
        assert_eq!(passed.contains(&"/trap"), is_late, "{place}: {passed:?}");
        let granted = others.iter().filter(|status| **status == Some(200)).count();
        let passed_others = passed.iter().filter(|target| **target == "/other").count();
        assert_eq!(granted, passed_others, "{place}: {others:?}");
        println!(
            "{place:<27} {answer:?} {others:?} {} ms",
            recovery.as_millis()
        );
    }
    let log = fixture.envoy.log();
    assert!(
        log.contains("panicked at wasm/envoy/src/host/forced_traps.rs"),
        "{log}"
    );
    assert!(!log.contains("k8s-ack-v2"), "{log}");
}

/// Sends a request that asks for a trap at `place`, with a body and trailers.
async fn send_trapping_request(client: &EnvoyClient, place: &str, token: &str) -> Option<u16> {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-end", HeaderValue::from_static("1"));
    let frames = [
        Frame::data(Bytes::from_static(b"half")),
        Frame::trailers(trailers),
    ];
    let body = stream::iter(frames.map(Ok::<_, std::io::Error>));
    let request = Request::post("/trap")
        .header("authorization", token)
        .header("x-trap", place)
        .body(StreamBody::new(body).boxed());
    let answer = client.send(request.unwrap()).await;
    answer.ok().map(|answer| answer.status.as_u16())
}

/// Returns the time until a login is granted again. Until then, no request without a token passes.
async fn time_until_recovery(
    fixture: &EnvoyFixture,
    client: &EnvoyClient,
    place: &str,
) -> Duration {
    let start = Instant::now();
    eventually(place, async || {
        let without = client.get("/without", &[]).await;
        assert!(!without.is_ok_and(|answer| answer.status == 200), "{place}");
        let token = bearer(&fixture.token());
        let with = client.get("/with", &[("authorization", &token)]).await;
        let has_recovered = with.is_ok_and(|answer| answer.status == 200);
        has_recovered
            .then_some(())
            .ok_or_else(|| fixture.envoy.log())
    })
    .await;
    start.elapsed()
}

#[tokio::test]
async fn trap_during_configuration_keeps_last_good() {
    let mut fixture = EnvoyFixture::start(Module::WithTraps, |_| ());
    let refused = fixture
        .envoy
        .update(&[listener(MAIN, Module::WithTraps, |settings| {
            settings["requiredGroups"] = json!(["trap: on_configure"]);
        })]);
    println!("the update was refused: {}", refused.is_err());
    let client = fixture.client(Protocol::Http1);
    time_until_recovery(&fixture, &client, "on_configure").await;
    let targets: Vec<String> = fixture
        .service
        .take()
        .into_iter()
        .map(|received| received.target)
        .collect();
    assert_eq!(targets, ["/with"]);
}
