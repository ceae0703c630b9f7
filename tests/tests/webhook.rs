//! The server as users run it: the real binary, real TLS, and an STS with every fault.

use std::time::Duration;

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{self, AccessKey};
use ack_ram_tests::callers::{CLUSTER, token_v2};
use ack_ram_tests::eventually::{LIMIT, eventually};
use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::sts::{Fault, GET_CALLER_IDENTITY_HEADERS, demo};
use ack_ram_tests::webhook::Reply;
use bytes::Bytes;
use futures_util::future::join_all;
use hyper::Method;
use hyper::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// Starts a server that maps a user and a role.
fn start(settings: &Value) -> Fixture {
    let mappings = json!({
        "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice", "groups": ["dev"] }],
        "mapRoles": [{ "roleARN": demo::ROLE_ARN, "username": "dev:{{SessionName}}" }],
    });
    Fixture::builder()
        .settings(&mappings)
        .settings(settings)
        .start()
}

/// Starts a server whose dynamic file is malformed.
fn start_with_backends(backends: &[&str]) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let dynamic_file = folder.path().join("dynamic.json");
    std::fs::write(&dynamic_file, "{").unwrap();
    let settings = json!({
        "backendMode": backends,
        "dynamicFilePath": dynamic_file,
        "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice", "groups": ["dev"] }],
    });
    Fixture::builder()
        .folder(folder)
        .settings(&settings)
        .start()
}

fn error(reply: &Reply) -> &str {
    reply.body["status"]["error"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn identities_are_granted_or_denied_with_reason() {
    let fixture = start(&json!({}));
    let now = fixture.sts.now();
    let session = token_v2(&demo::session_key(), now);
    let wrong_secret = AccessKey {
        secret: Secret::new("not-the-secret"),
        ..demo::user_key()
    };
    let old = now.plus_seconds(-16 * 60);
    for (name, token, username, has_reason) in [
        ("a user", fixture.token(), "alice", false),
        ("an assumed role", session, "dev:alice-example.com", false),
        ("not mapped", token_v2(&demo::stranger_key(), now), "", true),
        (
            "another cluster",
            {
                let other = ClusterId::parse("other").unwrap();
                sign::sign_token_v2(&demo::user_key(), &other, "test", now).unwrap()
            },
            "",
            true,
        ),
        ("a wrong secret", token_v2(&wrong_secret, now), "", true),
        (
            "expired for STS",
            token_v2(&demo::user_key(), old),
            "",
            true,
        ),
        (
            "not ours",
            Secret::new("eyJhbGciOiJSUzI1NiJ9.e30.c2ln"),
            "",
            false,
        ),
    ] {
        let reply = fixture.review(&token).await;
        assert_eq!(reply.status, 200, "{name}");
        let status = &reply.body["status"];
        assert_eq!(
            status["authenticated"],
            !username.is_empty(),
            "{name}: {status}"
        );
        assert_eq!(
            status["user"]["username"].as_str().unwrap_or_default(),
            username,
            "{name}"
        );
        assert_eq!(!error(&reply).is_empty(), has_reason, "{name}: {status}");
    }
    fixture.sts.delete_key(&demo::user_key().id);
    let reply = fixture.review(&fixture.token()).await;
    assert!(
        error(&reply).contains("`InvalidAccessKeyId.NotFound`"),
        "{reply:?}"
    );
}

#[tokio::test]
async fn failing_sts_answers_503_and_next_login_works() {
    let fixture = start(&json!({}));
    for fault in [
        Fault::CloseOnAccept,
        Fault::CloseBeforeHeaders,
        Fault::CloseInBody,
        Fault::ContentLengthTooShort,
        Fault::HugeHeaders,
        Fault::EndlessBody,
        Fault::Garbage,
        Fault::ThrottleUser,
        Fault::ThrottleApi,
        Fault::InternalError,
        Fault::ServiceUnavailable,
        Fault::Redirect("https://127.0.0.1:1/".to_owned()),
        Fault::Reply {
            status: 403,
            body: Bytes::from_static(b"<html>proxy</html>"),
        },
    ] {
        check_503_then_grant(&fixture, fault).await;
    }
}

#[tokio::test]
async fn slow_sts_answers_503_and_next_login_works() {
    // Each case waits for its whole timeout, which is long enough for the next login on a slow machine. All cases run
    // together.
    let cases = [
        (Fault::StallOnAccept, "30s"),
        (Fault::Hang, "10s"),
        (Fault::Delay(Duration::from_secs(60)), "10s"),
        (Fault::ContentLengthTooLong, "10s"),
    ];
    join_all(cases.map(async |(fault, answer)| {
        let fixture = start(&json!({ "sts": { "connectTimeout": "10s", "timeout": answer } }));
        check_503_then_grant(&fixture, fault).await;
    }))
    .await;
}

#[tokio::test]
async fn broken_backend_answers_503_naming_the_administrator() {
    let fixture = start_with_backends(&["DynamicFile", "MountedFile"]);
    let reply = fixture.review(&fixture.token()).await;
    assert_eq!(reply.status, 503, "{reply:?}");
    assert_eq!(reply.body["kind"], "Status", "{reply:?}");
    let message = reply.body["message"].as_str().unwrap();
    let expected = "the mappings of the backend DynamicFile are invalid; ask an administrator of the cluster to correct them";
    assert!(message.contains(expected), "{message}");

    let fixture = start_with_backends(&["MountedFile", "DynamicFile"]);
    let reply = fixture.review(&fixture.token()).await;
    assert_eq!(
        reply.body["status"]["authenticated"], true,
        "the earlier backend does not decide: {reply:?}"
    );
}

/// Checks that a login fails with status 503 under `fault`, and that the next login is granted without the fault.
async fn check_503_then_grant(fixture: &Fixture, fault: Fault) {
    // Closes the kept-alive connection, so that the fault affects a new one.
    fixture.sts.set_fault(Some(Fault::CloseBeforeHeaders));
    let _closed = fixture.review(&fixture.token()).await;
    fixture.sts.set_fault(Some(fault.clone()));
    let reply = fixture.review(&fixture.token()).await;
    assert_eq!(reply.status, 503, "{fault:?}: {reply:?}");
    assert!(!reply.headers.contains_key(RETRY_AFTER), "{fault:?}");
    assert_eq!(reply.body["kind"], "Status", "{fault:?}");
    assert_eq!(reply.body["reason"], "ServiceUnavailable", "{fault:?}");

    fixture.sts.set_fault(None);
    let reply = fixture.review(&fixture.token()).await;
    assert_eq!(
        reply.body["status"]["authenticated"], true,
        "after {fault:?}: {reply:?}"
    );
}

#[tokio::test]
async fn login_reference_identifies_its_log_line() {
    let mut fixture = start(&json!({}));
    let stranger = token_v2(&demo::stranger_key(), fixture.sts.now());
    let denied = fixture.review(&stranger).await;
    fixture.sts.set_fault(Some(Fault::CloseBeforeHeaders));
    let other = token_v2(&demo::session_key(), fixture.sts.now());
    let unable = fixture.review(&other).await;
    let message = unable.body["message"].as_str().unwrap();
    for (message, level, part) in [
        (error(&denied), " WARN ", "is not mapped"),
        (message, "ERROR ", "cause=\"connection lost"),
    ] {
        let (_, reference) = message.rsplit_once("(reference ").unwrap();
        let field = format!("reference={}", reference.trim_end_matches(')'));
        fixture
            .server_mut()
            .wait_for_log(|line| line.contains(&field), LIMIT)
            .unwrap();
        let log = fixture.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(&field)).collect();
        let [line] = lines[..] else {
            panic!("{field}: {log}");
        };
        assert!(line.contains(level) && line.contains(part), "{line}");
    }
    let log = fixture.log();
    let reached = log
        .lines()
        .filter(|line| line.contains("could not be reached"));
    assert_eq!(reached.count(), 1, "{log}");
}

#[tokio::test]
async fn invalid_request_gets_its_status_and_server_continues() {
    let fixture = start(&json!({}));
    let json_type = Some("application/json");
    let big = format!(
        r#"{{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","spec":{{"token":"{}"}}}}"#,
        "x".repeat(64 * 1024)
    );
    for (method, path, content_type, body, status) in [
        (Method::GET, "/authenticate", None, "", 405),
        (Method::PUT, "/authenticate", json_type, "{}", 405),
        (Method::POST, "/authenticate", json_type, "", 400),
        (Method::POST, "/authenticate", json_type, "{}", 400),
        (Method::POST, "/authenticate", json_type, "[]", 400),
        (Method::POST, "/authenticate", json_type, "not json", 400),
        (
            Method::POST,
            "/authenticate",
            json_type,
            r#"{"kind":"Pod","apiVersion":"v1","spec":{"token":"x"}}"#,
            400,
        ),
        (
            Method::POST,
            "/authenticate",
            json_type,
            r#"{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v2","spec":{"token":"x"}}"#,
            400,
        ),
        (
            Method::POST,
            "/authenticate",
            json_type,
            r#"{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","spec":{}}"#,
            400,
        ),
        (
            Method::POST,
            "/authenticate",
            json_type,
            r#"{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","spec":{"token":"x","token":"y"}}"#,
            400,
        ),
        (Method::POST, "/authenticate", json_type, &big, 413),
        (Method::POST, "/authenticate", Some("text/plain"), "{}", 415),
        (Method::POST, "/", json_type, "{}", 404),
        (Method::GET, "/healthz", None, "", 200),
    ] {
        let name = format!("{method} {path} {body:.70}");
        let mut request = fixture.webhook().request(method, path);
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let request = request
            .body(Bytes::copy_from_slice(body.as_bytes()).into())
            .unwrap();
        let reply = fixture.webhook().send(request).await.unwrap();
        assert_eq!(reply.status, status, "{name}: {reply:?}");
        assert_eq!(reply.headers.contains_key(ALLOW), status == 405, "{name}");
        if status != 200 {
            assert_eq!(reply.body["kind"], "Status", "{name}");
            assert_eq!(reply.body["code"], status, "{name}");
        }
    }
    assert!(
        fixture.sts.requests().is_empty(),
        "an invalid request caused a call to STS"
    );
    let reply = fixture.review(&fixture.token()).await;
    assert_eq!(reply.body["status"]["authenticated"], true);
}

#[tokio::test]
async fn sigterm_finishes_in_flight_requests() {
    let mut fixture = start(&json!({}));
    fixture.sts.set_fault(Some(Fault::Hold));
    let token = fixture.token();
    let webhook = fixture.webhook().clone();
    let review = tokio::spawn(async move { webhook.review(&token).await.unwrap() });
    eventually("a call", async || !fixture.sts.requests().is_empty()).await;
    fixture.signal(Signal::SIGTERM);
    fixture.wait_for_log("stopping: ").await;
    fixture.sts.set_fault(None);
    let reply = review.await.unwrap();
    assert_eq!(reply.body["status"]["authenticated"], true, "{reply:?}");
    let status = fixture.wait_for_exit();
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn sts_connection_is_reused_and_carries_signed_headers_only() {
    let fixture = start(&json!({}));
    for _ in 0..20 {
        let reply = fixture.review(&fixture.token()).await;
        assert_eq!(reply.body["status"]["authenticated"], true);
    }
    assert_eq!(fixture.sts.connections(), 1);
    for request in fixture.sts.requests() {
        assert_eq!(request.header_names(), GET_CALLER_IDENTITY_HEADERS);
        assert_eq!(request.target, format!("/?ACKClusterId={CLUSTER}"));
        assert_eq!(
            request.headers["user-agent"],
            concat!("ack-ram-authenticator/v2/", env!("CARGO_PKG_VERSION"))
        );
    }
}
