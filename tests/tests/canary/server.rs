//! Requests and failures of a server, at every log level.

use ack_ram_core::secret::Secret;
use ack_ram_tests::eventually::eventually;
use ack_ram_tests::sts::{Fault, demo};
use bytes::Bytes;
use hyper::Method;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};
use serde_json::json;

use crate::fixture::CanaryFixture;
use crate::tokens::{BEARER, MISPLACED, SECURITY_TOKEN, key, session_key};

#[tokio::test]
async fn server_reveals_no_secret_with_text_log() {
    for level in LEVELS {
        run_every_case(level, "text").await;
    }
}

#[tokio::test]
async fn server_reveals_no_secret_with_json_log() {
    for level in LEVELS {
        run_every_case(level, "json").await;
    }
}

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

async fn run_every_case(level: &str, format: &str) {
    let mut fixture = CanaryFixture::start(level, format).await;
    let logins = logins(&mut fixture).await;
    faults_of_sts(&mut fixture).await;
    malformed_reviews(&mut fixture).await;
    proxy_requests(&mut fixture).await;
    misplaced_secrets(&mut fixture).await;
    broken_http(&mut fixture).await;
    fixture.finish(&format!("{level}, {format}"), logins).await;
}

/// Reviews valid and invalid tokens. Returns the number of decisions.
async fn logins(fixture: &mut CanaryFixture) -> usize {
    let good = [
        fixture.tokens.v2(&key()),
        fixture.tokens.v2(&session_key()),
        fixture.tokens.v1(&session_key()),
    ];
    for token in &good {
        // The second answer comes from the cache.
        for _ in 0..2 {
            wait_for_decision(fixture, token).await;
        }
    }
    let not_synced = fixture.tokens.v2(&demo::stranger_key());
    assert_eq!(fixture.review(&not_synced).await, 503);
    let bad = [
        fixture.tokens.refused_tokens(),
        fixture.tokens.unusual_tokens(),
    ]
    .concat();
    for token in &bad {
        wait_for_decision(fixture, token).await;
    }
    2 * good.len() + 1 + bad.len()
}

/// Reviews `token` until there is a decision. On a slow machine, STS may not answer in time.
async fn wait_for_decision(fixture: &mut CanaryFixture, token: &Secret) {
    eventually("a decision", async || fixture.review(token).await == 200).await;
}

async fn faults_of_sts(fixture: &mut CanaryFixture) {
    let reply = |status, body: serde_json::Value| Fault::Reply {
        status,
        body: Bytes::from(body.to_string()),
    };
    for fault in [
        Fault::CloseOnAccept,
        Fault::StallOnAccept,
        Fault::Hang,
        Fault::CloseBeforeHeaders,
        Fault::CloseInBody,
        Fault::ContentLengthTooLong,
        Fault::ContentLengthTooShort,
        Fault::HugeHeaders,
        Fault::EndlessBody,
        Fault::Garbage,
        Fault::ThrottleUser,
        Fault::ThrottleApi,
        Fault::InternalError,
        Fault::ServiceUnavailable,
        Fault::Redirect(format!(
            "https://127.0.0.1:1/?SecurityToken={SECURITY_TOKEN}"
        )),
        reply(
            400,
            json!({ "Code": "SignatureDoesNotMatch", "Message": SECURITY_TOKEN, "RequestId": SECURITY_TOKEN }),
        ),
        reply(
            400,
            json!({ "Code": SECURITY_TOKEN, "Message": MISPLACED, "Recommend": MISPLACED }),
        ),
        reply(
            200,
            json!({ "Arn": SECURITY_TOKEN, "AccountId": SECURITY_TOKEN, "RequestId": MISPLACED }),
        ),
        reply(200, json!(SECURITY_TOKEN)),
        reply(500, json!({ SECURITY_TOKEN: MISPLACED })),
    ] {
        fixture.sts.set_fault(Some(fault));
        for token in [
            fixture.tokens.v2(&session_key()),
            fixture.tokens.v1(&session_key()),
        ] {
            fixture.review(&token).await;
        }
    }
    fixture.sts.set_fault(None);
}

async fn malformed_reviews(fixture: &mut CanaryFixture) {
    let token = fixture.tokens.v2(&session_key());
    let token = token.expose();
    let review = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": { "token": token } });
    let review = review.to_string();
    let with = |member: &str, value: &str| {
        let mut review: serde_json::Value = serde_json::from_str(&review).unwrap();
        review[member] = value.into();
        review.to_string()
    };
    for (body, expected) in [
        (review[..review.len() - 1].to_owned(), 400),
        (format!("{review}{token}"), 400),
        (format!("\"{token}\""), 400),
        (token.to_owned(), 400),
        (with("kind", token), 400),
        (with("apiVersion", token), 400),
        (with("spec", token), 400),
        (review.replace("\"token\":", "\"token\":0,\"token\":"), 400),
        (review.replace("\"token\":", &format!("\"{token}\":")), 400),
        (review.replace("k8s-ack-v2.", "\\u0000"), 200),
        (review.replace("k8s-ack-v2.", &"x".repeat(100_000)), 413),
    ] {
        let request = fixture.webhook.request(Method::POST, "/authenticate");
        let request = request.header(CONTENT_TYPE, "application/json");
        let status = fixture
            .send_request(request.body(body.clone().into()).unwrap())
            .await;
        assert_eq!(status, expected, "{body:.100}");
    }
    let request = fixture.webhook.request(Method::POST, "/authenticate");
    let request = request.header(CONTENT_TYPE, format!("text/{MISPLACED}"));
    assert_eq!(
        fixture
            .send_request(request.body(review.into()).unwrap())
            .await,
        415
    );
}

/// Sends requests of proxies: granted, denied, and with a header that no proxy should send.
async fn proxy_requests(fixture: &mut CanaryFixture) {
    let tokens = [
        vec![fixture.tokens.v2(&key()), fixture.tokens.v1(&session_key())],
        fixture.tokens.refused_tokens(),
    ];
    for token in tokens.concat() {
        fixture.ask_as_proxy(&token, ("x-other", MISPLACED)).await;
        fixture
            .ask_as_proxy(&token, ("x-remote-user", MISPLACED))
            .await;
    }
}

/// Sends secrets in the path, the query, the method, and headers.
async fn misplaced_secrets(fixture: &mut CanaryFixture) {
    let token = fixture.tokens.v2(&session_key());
    let token = token.expose();
    let bearer = format!("Bearer {BEARER}");
    let basic = format!("Basic {MISPLACED}");
    let cookie = format!("token={token}");
    for path in [
        "/authenticate".to_owned(),
        format!("/authenticate?token={token}"),
        format!("/authenticate/{MISPLACED}"),
        format!("/ext-authz?token={token}"),
        format!("/ext-authz/{MISPLACED}"),
        format!("/{token}"),
        format!("/metrics?access_token={BEARER}"),
        format!("/healthz?{SECURITY_TOKEN}"),
        format!("/readyz?verbose={MISPLACED}"),
    ] {
        for method in [
            &Method::GET,
            &Method::POST,
            &Method::from_bytes(MISPLACED.as_bytes()).unwrap(),
        ] {
            for authorization in [&*bearer, &basic, token] {
                let request = fixture.webhook.request(method.clone(), &path);
                let request = request
                    .header(AUTHORIZATION, authorization)
                    .header(COOKIE, &cookie)
                    .header("x-acs-security-token", SECURITY_TOKEN)
                    .header(format!("x-{MISPLACED}"), BEARER);
                let body = format!("{{\"token\":\"{token}\"}}");
                fixture
                    .send_request(request.body(body.into()).unwrap())
                    .await;
            }
        }
        let head =
            format!("x-token: {MISPLACED}\r\nauthorization: {bearer}\r\ncookie: {cookie}\r\n");
        fixture.get(&path, &head).await;
    }
    let foreign = Secret::new(BEARER);
    assert_eq!(fixture.review(&foreign).await, 200);
}

/// Sends malformed HTTP that libraries reject and may log.
async fn broken_http(fixture: &mut CanaryFixture) {
    for text in [
        format!("{SECURITY_TOKEN}\r\n\r\n"),
        format!("GET /{MISPLACED} {MISPLACED}\r\n\r\n"),
        format!("GET /\0{MISPLACED} HTTP/1.1\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nauthorization {MISPLACED}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nauthorization: Bearer {MISPLACED}\0\r\n\r\n"),
        format!("GET / HTTP/1.1\r\ncontent-length: {MISPLACED}\r\n\r\n"),
        format!("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{MISPLACED}\r\n"),
        format!("GET / HTTP/1.1\r\nupgrade: {MISPLACED}\r\nconnection: upgrade\r\n\r\n"),
        format!("GET /{} HTTP/1.1\r\n\r\n", SECURITY_TOKEN.repeat(1_000)),
    ] {
        fixture.send_bytes(text.as_bytes()).await;
    }
    for fields in [
        vec![
            (":method", "GET"),
            (":scheme", "http"),
            (":path", MISPLACED),
        ],
        vec![
            (":method", "GET"),
            (":scheme", "http"),
            (":path", &format!("/ \u{1}{MISPLACED}")),
        ],
        vec![
            (":method", MISPLACED),
            (":scheme", MISPLACED),
            (":path", "/"),
            (":authority", &format!("{MISPLACED}@ ")),
        ],
        vec![
            (":method", &format!("{MISPLACED} ")),
            (":scheme", "http"),
            (":path", "/"),
        ],
        vec![
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/"),
            ("authorization", &format!("Bearer {MISPLACED}")),
        ],
        vec![
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/"),
            ("Authorization", MISPLACED),
        ],
        vec![
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/"),
            (MISPLACED, MISPLACED),
        ],
        vec![
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/"),
            ("content-length", MISPLACED),
        ],
        vec![
            (":method", "GET"),
            (":scheme", "http"),
            (":path", "/"),
            ("connection", MISPLACED),
        ],
        vec![(":status", MISPLACED), (":method", "GET")],
    ] {
        fixture.send_bytes(&http2(&fields)).await;
    }
}

/// Returns the bytes of an HTTP/2 connection with one request (RFC 9113, RFC 7541: literal fields, not indexed, no
/// Huffman code).
fn http2(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    let length = u8::try_from(block.len()).unwrap();
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    // Flags: end of the stream and of the headers.
    let headers = [0, 0, length, 1, 5, 0, 0, 0, 1];
    [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        &settings,
        &headers,
        &block,
    ]
    .concat()
}
