//! The replies of the real binary on `/metrics`, `/readyz` and to probes, after known logins.

use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_tests::callers::CLUSTER;
use ack_ram_tests::exposition::Exposition;
use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::sts::{Fault, demo};
use bytes::Bytes;
use hyper::Method;
use hyper::header::CONTENT_TYPE;
use serde_json::json;

const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

fn start() -> Fixture {
    Fixture::start(&json!({
        // Exactly one call has to time out, even on a slow machine.
        "sts": { "connectTimeout": "10s", "timeout": "10s" },
        "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice", "groups": ["dev"] }],
        "mapRoles": [
            { "roleARN": demo::ROLE_ARN, "username": "dev:{{SessionName}}" },
            { "roleARN": demo::ROLE_ARN, "username": "never" },
            { "roleARN": "no ARN", "username": "refused" },
        ],
    }))
}

/// Sends a review of a new token that is signed with `key`, and returns the token.
async fn review(fixture: &Fixture, key: &AccessKey) -> Secret {
    let token = fixture.token_of(key);
    fixture.review(&token).await;
    token
}

/// Sends a request to the webhook's port. Returns the status, the content type and the body of the reply.
async fn send_request(
    fixture: &Fixture,
    method: Method,
    path: &str,
    body: &'static str,
) -> (u16, String, String) {
    let request = fixture.webhook().request(method, path);
    let request = request.body(Bytes::from_static(body.as_bytes()).into());
    let reply = fixture.webhook().send(request.unwrap()).await.unwrap();
    let kind = reply.headers.get(CONTENT_TYPE);
    let kind = kind.map_or("", |kind| kind.to_str().unwrap()).to_owned();
    let text = String::from_utf8(reply.bytes.to_vec()).unwrap();
    (reply.status.as_u16(), kind, text)
}

#[tokio::test]
async fn metrics_count_logins_and_calls_without_identities() {
    let fixture = start();
    let wrong_secret = AccessKey {
        secret: Secret::new("not-the-secret"),
        ..demo::user_key()
    };
    let mut tokens = Vec::new();
    for key in [
        demo::user_key(),
        demo::user_key(),
        demo::session_key(),
        demo::stranger_key(),
        wrong_secret,
    ] {
        tokens.push(review(&fixture, &key).await);
    }
    for fault in [
        Fault::InternalError,
        Fault::ThrottleUser,
        Fault::EndlessBody,
        Fault::CloseOnAccept,
        Fault::CloseBeforeHeaders,
        Fault::Hang,
    ] {
        fixture.sts.set_fault(Some(fault));
        tokens.push(review(&fixture, &demo::user_key()).await);
    }
    fixture.sts.set_fault(None);
    // A broken kept-alive connection is retried: that is one call, and it gets a reply.
    tokens.push(review(&fixture, &demo::user_key()).await);
    fixture.sts.fault_next(1, Fault::CloseBeforeHeaders);
    tokens.push(review(&fixture, &demo::user_key()).await);
    // Cached identities need no call.
    fixture.review(&tokens[0]).await;
    for token in ["k8s-ack-v2.CANARY", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"] {
        fixture.review(&Secret::new(token)).await;
    }
    for (method, body) in [
        (Method::POST, "no review"),
        (Method::GET, ""),
        (Method::POST, "{}"),
    ] {
        send_request(&fixture, method, "/authenticate", body).await;
    }
    send_request(&fixture, Method::GET, "/elsewhere", "").await;

    let (status, kind, text) = send_request(&fixture, Method::GET, "/metrics", "").await;
    assert_eq!((status, &*kind), (200, TEXT_FORMAT), "{text}");
    let metrics = Exposition::parse(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    let endpoint = fixture.sts.url();
    let endpoint = endpoint
        .trim_start_matches("https://")
        .trim_end_matches('/');
    let results = "authenticate_latency_seconds_count";
    let code = "ResponseCode";
    let file = ("backend", "MountedFile");
    for (name, labels, value) in [
        (results, vec![("result", "success")], Some(6.0)),
        (results, vec![("result", "uknown_user")], Some(1.0)),
        (results, vec![("result", "sts_error")], Some(7.0)),
        (results, vec![("result", "invalid_token")], Some(2.0)),
        (results, vec![("result", "malformed_request")], Some(3.0)),
        ("authentications_in_flight", vec![], Some(0.0)),
        // Three complete replies, and `EndlessBody`, which started correctly.
        ("sts_responses_total", vec![(code, "200")], Some(7.0)),
        ("sts_responses_total", vec![(code, "500")], Some(1.0)),
        ("sts_connection_failures_total", vec![], Some(3.0)),
        (
            "sts_latency_seconds_count",
            vec![("endpoint", endpoint)],
            Some(13.0),
        ),
        ("sts_calls_in_flight", vec![], Some(0.0)),
        ("sts_queue_waiting", vec![], Some(0.0)),
        ("sts_queue_refused_total", vec![], Some(0.0)),
        ("sts_breaker_state", vec![("endpoint", endpoint)], Some(0.0)),
        ("identity_lookups_total", vec![("result", "hit")], Some(1.0)),
        (
            "identity_lookups_total",
            vec![("result", "miss")],
            Some(13.0),
        ),
        (
            "identity_cache_entries",
            vec![("kind", "identity")],
            Some(5.0),
        ),
        (
            "identity_cache_entries",
            vec![("kind", "unproven_identity")],
            Some(1.0),
        ),
        (
            "identity_cache_entries",
            vec![("kind", "refusal")],
            Some(1.0),
        ),
        ("rules", vec![file, ("state", "in_effect")], Some(2.0)),
        ("rules", vec![file, ("state", "conflicted")], Some(1.0)),
        ("backend_read", vec![file], Some(1.0)),
        ("backend_trouble", vec![file], Some(0.0)),
        ("backend_broken", vec![file], Some(0.0)),
        ("configmap_watch_failures_total", vec![], Some(0.0)),
        (
            "build_info",
            vec![("version", env!("CARGO_PKG_VERSION"))],
            Some(1.0),
        ),
    ] {
        let series = format!("ack_ram_authenticator_{name}");
        assert_eq!(
            metrics.value(&series, &labels),
            value,
            "{series} {labels:?}:\n{text}"
        );
    }
    let responses = &metrics.families["ack_ram_authenticator_sts_responses_total"];
    let responses: f64 = responses.samples.iter().map(|sample| sample.value).sum();
    assert_eq!(
        responses, 10.0,
        "13 calls, 3 of which got no reply:\n{text}"
    );
    for gauge in [
        "process_cpu_seconds_total",
        "process_open_fds",
        "process_max_fds",
        "process_virtual_memory_bytes",
        "process_virtual_memory_max_bytes",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
    ] {
        assert!(
            metrics.value(gauge, &[]).is_some_and(|value| value > 0.0),
            "{gauge}:\n{text}"
        );
    }

    for sensitive in [
        "acs:",
        "LTAI",
        "alice",
        "mallory",
        "dev",
        "CANARY",
        "k8s-ack",
        demo::ACCOUNT,
        CLUSTER,
    ] {
        assert!(
            !text.contains(sensitive),
            "{sensitive} is in the metrics:\n{text}"
        );
    }
    for token in tokens {
        let payload = token.expose().trim_start_matches("k8s-ack-v2.");
        assert!(
            !text.contains(&payload[..12]),
            "a token is in the metrics:\n{text}"
        );
    }
}

#[tokio::test]
async fn probes_and_scrapes_are_served_on_their_paths() {
    let fixture = start();
    for (path, status, body) in [
        ("/", 200, "ok"),
        ("/healthz", 200, "ok"),
        ("/livez", 200, "ok"),
        ("/whatever/a/probe?asks", 200, "ok"),
        ("/readyz", 200, "ok"),
        (
            "/readyz?verbose",
            200,
            "[+]ping ok\n[+]certificate ok\n[+]backend MountedFile ok\nreadyz check passed\n",
        ),
    ] {
        let reply = fixture.ask_health(path).await;
        assert_eq!(reply.status, status, "{path}: {reply:?}");
        assert_eq!(reply.body, body, "{path}");
    }
    let reply = fixture.ask_health("/metrics").await;
    assert!(reply.head.contains(TEXT_FORMAT), "{reply:?}");
    Exposition::parse(&reply.body).unwrap_or_else(|error| panic!("{error}:\n{reply:?}"));

    for (method, path, status) in [
        (Method::GET, "/healthz", 200),
        (Method::HEAD, "/metrics", 200),
        (Method::POST, "/metrics", 404),
        (Method::GET, "/readyz", 404),
    ] {
        let (answered, _, _) = send_request(&fixture, method.clone(), path, "").await;
        assert_eq!(answered, status, "{method} {path}");
    }
}
