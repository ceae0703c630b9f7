//! No token reaches a service, wherever it stands.

use ack_ram_tests::envoy::{Protocol, Seen};
use ack_ram_tests::sts::demo;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::HeaderValue;
use serde_json::json;

use super::started::Example;

fn holds_token(seen: &Seen) -> bool {
    let values = seen.headers.values().chain(seen.trailers.values());
    let is_found = |text: &[u8]| text.windows(8).any(|part| part == b"k8s-ack-");
    values.into_iter().any(|value| is_found(value.as_bytes())) || is_found(seen.target.as_bytes())
}

/// Shows the server every header.
const ALL_SHOWN: (&str, &str) = (
    "                - exact: authorization
",
    "                - safe_regex: { regex: \"[^:].*\" }
",
);

#[tokio::test]
async fn server_refuses_a_token_beside_the_one_in_its_header() {
    for changes in [&[][..], &[ALL_SHOWN]] {
        let started = Example::ExtAuthz.start_with_server(changes, None, |server| {
            server["extAuthz"] =
                json!({ "enabled": true, "joinGroups": false, "tokenHeader": "x-ram-token" });
        });
        // By default Envoy shows `Authorization`, the URL, and what `allowed_headers` names.
        let shows_all = !changes.is_empty();
        if !shows_all {
            let bearer = started.bearer(&demo::user_key());
            let answer = started.get("/", &[("x-ram-token", &bearer)]).await;
            assert_eq!(answer.status, 401, "the header is not in `allowed_headers`");
            continue;
        }
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let bearer = started.bearer(&demo::user_key());
            let token = bearer.trim_start_matches("Bearer ");
            let basic = format!("Basic {}", STANDARD.encode(format!("alice:{token}")));
            let cookie = format!("theme=dark; token={token}");
            let good = ("x-ram-token", token);
            for (path, more, status) in [
                ("/", ("authorization", "Basic YTpi"), 200),
                ("/", ("authorization", &*bearer), 403),
                ("/", ("proxy-authorization", &*basic), 403),
                ("/", ("cookie", &*cookie), 403),
                ("/", ("x-copy", token), 403),
                (&*format!("/?token={token}"), ("accept", "*/*"), 403),
            ] {
                let answer = started.client(protocol).get(path, &[good, more]).await;
                assert_eq!(
                    answer.unwrap().status,
                    status,
                    "{protocol:?} {path} {}",
                    more.0
                );
                let passed = started.service.take();
                assert_eq!(passed.len(), usize::from(status == 200), "{}", more.0);
                assert!(!passed.iter().any(holds_token), "{passed:?}");
            }
        }
    }
}

#[tokio::test]
async fn upgrade_that_would_remove_identity_headers_later_is_refused() {
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
