//! Large requests and CORS preflights with external authorization.

use ack_ram_tests::envoy::Protocol;
use ack_ram_tests::sts::demo;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde_json::json;

use super::started::{Example, ExampleEnvoy};

const EXAMPLES: [Example; 3] = [Example::ExtAuthz, Example::Istio, Example::EnvoyGateway];

#[tokio::test]
async fn large_requests_pass_ext_authz() {
    for example in EXAMPLES {
        let started = example.start();
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let bearer = started.bearer(&demo::user_key());
            let url = format!("/a?b={}", "y".repeat(17 * 1024));
            let cookie = format!("a={}", "y".repeat(18 * 1024));
            for (path, more) in [(&*url, ("accept", "*/*")), ("/", ("cookie", &*cookie))] {
                let headers = [("authorization", &*bearer), more];
                let answer = started.client(protocol).get(path, &headers).await.unwrap();
                assert_eq!(answer.status, 200, "{example:?} {protocol:?} {}", more.0);
                started.only_request(more.0);
            }
        }
    }
}

/// Sends a request with the headers of a preflight and returns the status.
async fn send_request(started: &ExampleEnvoy, method: &str, more: &[(&str, &str)]) -> u16 {
    let mut request = Request::builder()
        .method(method)
        .uri("/a")
        .header("origin", "https://a")
        .header("access-control-request-method", "PUT");
    for (name, value) in more {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::<Bytes>::default()).unwrap();
    let answer = started.client(Protocol::Http1).send(request).await;
    answer.unwrap().status.as_u16()
}

#[tokio::test]
async fn only_preflights_pass_ext_authz_without_token() {
    for example in EXAMPLES {
        let started = example.start_with_server(&[], None, |server| {
            let joins_groups = Example::GENERATED.contains(&example);
            server["extAuthz"] =
                json!({ "enabled": true, "joinGroups": joins_groups, "allowPreflight": true });
        });
        let what = format!("{example:?}");
        // Envoy removes identity headers before it calls the server.
        for more in [
            &[][..],
            &[("x-remote-user", "root")],
            &[("x-remote-extra-scopes", "all")],
        ] {
            assert_eq!(
                send_request(&started, "OPTIONS", more).await,
                200,
                "{what} {more:?}"
            );
            let received = started.only_request(&what);
            assert_eq!(received.method, "OPTIONS", "{what}");
            for (name, value) in &received.headers {
                let is_identity = name.as_str().starts_with("x-remote-");
                assert!(
                    !is_identity || value.is_empty(),
                    "{what}: {name}: {value:?}"
                );
            }
        }
        for (method, more) in [
            ("GET", &[][..]),
            ("POST", &[]),
            ("GET", &[("x-forwarded-method", "OPTIONS")]),
            ("GET", &[("x-http-method-override", "OPTIONS")]),
            ("OPTIONS", &[("x-http-method-override", "DELETE")]),
            ("OPTIONS", &[("x-http-method", "DELETE")]),
            ("OPTIONS", &[("x-method-override", "DELETE")]),
            ("OPTIONS", &[("authorization", "Bearer x")]),
        ] {
            let status = send_request(&started, method, more).await;
            assert_eq!(status, 401, "{what} {method} {more:?}");
            assert!(
                started.service.take().is_empty(),
                "{what} {method} {more:?}"
            );
        }
    }
}
