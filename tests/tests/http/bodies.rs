//! Both versions of HTTP, and slow bodies.

use std::convert::Infallible;
use std::time::Duration;

use ack_ram_tests::fixture::Fixture;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use crate::fixture::{LIMIT, connect, http1_answer, http1_review, start};

pub(crate) type Body = BoxBody<Bytes, Infallible>;

pub(crate) async fn http2(fixture: &Fixture) -> SendRequest<Body> {
    let stream = TokioIo::new(connect(fixture, b"h2").await);
    let (sender, connection) = http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

fn review(body: Body) -> Request<Body> {
    Request::post("https://localhost/authenticate")
        .header("content-type", "application/json")
        .body(body)
        .unwrap()
}

/// Returns a body that never sends any data.
fn nothing() -> Body {
    StreamBody::new(stream::pending()).boxed()
}

pub(crate) async fn json_of(response: Response<hyper::body::Incoming>) -> (u16, Value) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn client_chooses_http_version() {
    let fixture = start(&json!({}), &json!({}));
    let mut http1 = connect(&fixture, b"http/1.1").await;
    assert_eq!(http1.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    for _ in 0..2 {
        let (head, body) = http1_review(&fixture.token());
        http1
            .write_all(format!("{head}{body}").as_bytes())
            .await
            .unwrap();
        let (status, review) = http1_answer(&mut http1).await;
        assert_eq!(
            (status, &review["status"]["authenticated"]),
            (200, &true.into())
        );
    }
    let mut http2 = http2(&fixture).await;
    for _ in 0..2 {
        let (_, body) = http1_review(&fixture.token());
        let response = http2.send_request(review(Full::from(body).boxed())).await;
        let (status, review) = json_of(response.unwrap()).await;
        assert_eq!(
            (status, &review["status"]["authenticated"]),
            (200, &true.into())
        );
    }
}

#[tokio::test]
async fn late_body_times_out_without_delaying_others() {
    // Longer than a stalled machine delays the reading of a complete body.
    let fixture = start(&json!({ "bodyTimeout": "10s" }), &json!({}));
    let mut http2 = http2(&fixture).await;
    let silent = tokio::spawn(http2.send_request(review(nothing())));
    let mut http1 = connect(&fixture, b"http/1.1").await;
    let (head, body) = http1_review(&fixture.token());
    http1.write_all(head.as_bytes()).await.unwrap();
    let dribble = async {
        // A client that continues to write may get a reset.
        for byte in body.bytes() {
            if http1.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let others = async {
        for _ in 0..20 {
            let (_, body) = http1_review(&fixture.token());
            let response = http2.send_request(review(Full::from(body).boxed())).await;
            let (_, review) = json_of(response.unwrap()).await;
            assert_eq!(review["status"]["authenticated"], true);
        }
    };
    let silent = async {
        let response = tokio::time::timeout(LIMIT, silent).await;
        json_of(response.unwrap().unwrap().unwrap()).await
    };
    let ((), (), (status, answer)) = tokio::join!(dribble, others, silent);
    assert_eq!((status, &answer["kind"]), (408, &"Status".into()));
    let (status, answer) = http1_answer(&mut http1).await;
    assert_eq!((status, &answer["kind"]), (408, &"Status".into()));
    assert!(fixture.alice_is_granted().await);
}

#[tokio::test]
async fn slowest_of_too_many_bodies_is_evicted() {
    let fixture = start(&json!({ "maxBodies": 3, "bodyTimeout": "30s" }), &json!({}));
    let mut slow = Vec::new();
    for evicted in 0..6 {
        let mut stream = connect(&fixture, b"http/1.1").await;
        let (head, _) = http1_review(&fixture.token());
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server may not have read the headers yet. In that case, the next login makes this request the oldest.
        slow.push(stream);
        assert!(fixture.alice_is_granted().await, "{evicted}");
    }
    let (status, answer) = http1_answer(&mut slow[0]).await;
    assert_eq!(
        (status, &answer["reason"]),
        (503, &"ServiceUnavailable".into())
    );
    let shed = fixture
        .metric("requests_shed_total", &[("reason", "bodies")])
        .await;
    assert!((1.0..=6.0).contains(&shed), "{shed}");
    assert!(fixture.alice_is_granted().await);
}
