//! No token reaches a service, in any part of a request.

use ack_ram_tests::envoy::{Protocol, ReceivedRequest};
use ack_ram_tests::sts::demo;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::HeaderValue;
use serde_json::json;

use super::started::Example;

fn holds_token(received: &ReceivedRequest) -> bool {
    let values = received.headers.values().chain(received.trailers.values());
    let is_found = |text: &[u8]| text.windows(8).any(|part| part == b"k8s-ack-");
    values.into_iter().any(|value| is_found(value.as_bytes()))
        || is_found(received.target.as_bytes())
}

/// Sends the token header to the server, as documented.
const SENT_TO_SERVER: (&str, &str) = (
    "- exact: proxy-authorization
",
    "- exact: proxy-authorization
                - exact: x-ram-token
",
);

#[tokio::test]
async fn second_token_outside_its_header_is_refused() {
    for token_header in ["authorization", "x-ram-token"] {
        let started = Example::ExtAuthz.start_with_server(&[SENT_TO_SERVER], None, |server| {
            server["extAuthz"] =
                json!({ "enabled": true, "joinGroups": false, "tokenHeader": token_header });
        });
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let bearer = started.bearer(&demo::user_key());
            let token = bearer.trim_start_matches("Bearer ");
            let basic = format!("Basic {}", STANDARD.encode(format!("alice:{token}")));
            let cookie = format!("theme=dark; token={token}");
            let page = format!("https://service.example.com/?token={token}");
            let other = match token_header {
                "authorization" => "x-ram-token",
                _ => "authorization",
            };
            let good = (token_header, &*bearer);
            for (path, more, status) in [
                ("/", ("accept", "*/*"), 200),
                ("/", (other, "Basic YTpi"), 200),
                ("/", (other, &*bearer), 403),
                ("/", (other, &*basic), 403),
                ("/", ("proxy-authorization", &*basic), 403),
                ("/", ("cookie", &*cookie), 403),
                ("/", ("referer", &*page), 403),
                ("/", ("sec-websocket-protocol", token), 403),
                (&*format!("/?token={token}"), ("accept", "*/*"), 403),
            ] {
                let answer = started.client(protocol).get(path, &[good, more]).await;
                let what = format!("{token_header} {protocol:?} {}", more.0);
                assert_eq!(answer.unwrap().status, status, "{what}");
                let passed = started.service.take();
                assert_eq!(passed.len(), usize::from(status == 200), "{what}");
                assert!(!passed.iter().any(holds_token), "{what}: {passed:?}");
            }
        }
    }
}

#[tokio::test]
async fn upgrade_that_removes_identity_headers_is_refused() {
    for example in Example::BOTH {
        let started = example.start();
        let bearer = started.bearer(&demo::user_key());
        for (connection, status) in [
            ("upgrade", 101),
            ("upgrade, x-remote-group", 403),
            ("X_Remote.User,upgrade", 403),
        ] {
            let request = Request::get("/socket")
                .header("connection", HeaderValue::from_static(connection))
                .header("upgrade", "websocket")
                .header("sec-websocket-version", "13")
                .header("sec-websocket-key", STANDARD.encode("0123456789abcdef"))
                .header("authorization", &bearer)
                .body(Full::<Bytes>::default())
                .unwrap();
            let answer = started
                .client(Protocol::Http1)
                .begin(request)
                .await
                .unwrap();
            assert_eq!(answer.status(), status, "{example:?} {connection}");
            let passed = started.service.take();
            assert_eq!(
                passed.len(),
                usize::from(status == 101),
                "{example:?} {connection}"
            );
        }
    }
}
