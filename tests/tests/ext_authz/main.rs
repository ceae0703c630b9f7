//! Answers of the real binary to proxies that request external authorization.

mod bodies;
#[cfg(feature = "nginx")]
mod caddy;
mod documented;
mod fixture;
#[cfg(feature = "nginx")]
mod nginx;
mod preflights;
#[cfg(feature = "nginx")]
mod programs;
#[cfg(feature = "nginx")]
mod proxied;
mod refusals;

use std::fs;
use std::path::Path;

use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_tests::authenticator;
use ack_ram_tests::sts::{Fault, demo};
use ack_ram_tests::webhook::WebhookClient;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::Method;
use serde_json::{Value, json};

use fixture::{
    LIMIT, bearer, bearer_of_alice, check_refusal, proxy_headers, send_request, start, start_in,
    start_with,
};

#[tokio::test]
async fn granted_user_is_named_in_headers() {
    let fixture = start(&json!({ "enabled": true }));
    let expected = [
        "cache-control: no-store",
        // Envoy removes by name the headers that a proxy does not remove by a pattern.
        "x-envoy-auth-headers-to-remove: authorization,\
         x_remote-user,x-remote_user,x_remote_user,\
         x_remote-group,x-remote_group,x_remote_group,\
         x_remote-uid,x-remote_uid,x_remote_uid,\
         x_remote-extra-arn,x-remote_extra-arn,x_remote_extra-arn,x-remote-extra_arn,\
         x_remote-extra_arn,x-remote_extra_arn,x_remote_extra_arn,\
         x_remote-extra-canonicalarn,x-remote_extra-canonicalarn,x_remote_extra-canonicalarn,\
         x-remote-extra_canonicalarn,x_remote-extra_canonicalarn,x-remote_extra_canonicalarn,\
         x_remote_extra_canonicalarn,\
         x_remote-extra-sessionname,x-remote_extra-sessionname,x_remote_extra-sessionname,\
         x-remote-extra_sessionname,x_remote-extra_sessionname,x-remote_extra_sessionname,\
         x_remote_extra_sessionname,\
         x-remote-extra-sessionname",
        "x-remote-extra-arn: acs:ram::1234567890123456:user/alice",
        "x-remote-extra-canonicalarn: acs:ram::1234567890123456:user/alice",
        // This empty header prevents a proxy from keeping the client's value.
        "x-remote-extra-sessionname: ",
        "x-remote-group: dev",
        "x-remote-group: ops team",
        "x-remote-uid: ack-ram-authenticator:1234567890123456:200000000000000001",
        "x-remote-user: alice",
    ];
    for (method, path) in [
        (Method::GET, "/ext-authz"),
        (Method::GET, "/ext-authz/"),
        (Method::GET, "/ext-authz/some/path?query=/x"),
        (Method::GET, "/ext-authz/%2e%2e/authenticate"),
        (Method::HEAD, "/ext-authz/some/path"),
        (Method::POST, "/ext-authz/some/path"),
        (Method::OPTIONS, "/ext-authz/some/path"),
        (Method::DELETE, "/ext-authz"),
        (
            Method::from_bytes(b"PROPFIND").unwrap(),
            "/ext-authz/some/path",
        ),
    ] {
        let authorization = bearer_of_alice(&fixture);
        // Headers that nginx and Traefik add about the original request.
        let headers = [
            ("authorization", &*authorization),
            ("x-original-uri", "/some/path"),
            ("x-forwarded-method", "DELETE"),
            ("x-forwarded-uri", "/some/path"),
        ];
        let reply = send_request(&fixture, method.clone(), path, &headers).await;
        assert_eq!(reply.status, 200, "{method} {path}: {reply:?}");
        assert_eq!(proxy_headers(&reply), expected, "{method} {path}");
        assert!(reply.bytes.is_empty(), "{method} {path}");
    }
}

#[tokio::test]
async fn user_without_groups_or_arn_overwrites_client_headers() {
    for joins_groups in [false, true] {
        let settings = json!({ "enabled": true, "joinGroups": joins_groups });
        let fixture = start_with(
            &settings,
            &json!({
                "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice", "groups": [] }],
                "scrubbedAccounts": [demo::ACCOUNT],
            }),
        );
        let headers = [("authorization", &*bearer_of_alice(&fixture))];
        let reply = send_request(&fixture, Method::GET, "/ext-authz", &headers).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let removed = reply.headers["x-envoy-auth-headers-to-remove"]
            .to_str()
            .unwrap();
        let removed: Vec<_> = removed.split(',').collect();
        for name in [
            "x-remote-group",
            "x-remote-extra-arn",
            "x-remote-extra-canonicalarn",
            "x-remote-extra-sessionname",
        ] {
            let values: Vec<_> = reply.headers.get_all(name).iter().collect();
            assert_eq!(values, [""], "{name}");
            assert!(removed.contains(&name), "{removed:?}");
        }
    }
}

#[tokio::test]
async fn unavailable_sts_answers_503_with_retry_after() {
    let fixture = start(&json!({ "enabled": true }));
    for fault in [
        Fault::CloseOnAccept,
        Fault::ServiceUnavailable,
        Fault::Garbage,
        Fault::ThrottleUser,
        Fault::ThrottleApi,
    ] {
        fixture.sts.set_fault(Some(fault.clone()));
        let authorization = bearer_of_alice(&fixture);
        let headers = [("authorization", &*authorization)];
        let reply = send_request(&fixture, Method::GET, "/ext-authz", &headers).await;
        check_refusal(&format!("{fault:?}"), &reply, 503, "", "");
        let detail = reply.body["detail"].as_str().unwrap();
        let is_throttled = matches!(fault, Fault::ThrottleUser | Fault::ThrottleApi);
        assert_eq!(detail.contains("in a minute"), is_throttled, "{detail}");
        let seconds = if is_throttled { "60" } else { "1" };
        assert_eq!(reply.headers["retry-after"], seconds);
        fixture.sts.set_fault(None);
    }
    let authorization = bearer_of_alice(&fixture);
    let headers = [("authorization", &*authorization)];
    let reply = send_request(&fixture, Method::GET, "/ext-authz", &headers).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[tokio::test]
async fn required_group_and_configured_header_names_are_enforced() {
    let mut fixture = start(&json!({
        "enabled": true,
        "requiredGroups": ["admins", "ops team"],
        "tokenHeader": "X-Ram-Token",
        "userHeader": "X-User",
        "groupHeader": "X-Group",
        "uidHeader": "X-Id",
        "extraHeaderPrefix": "X-Extra-",
        "joinGroups": true,
    }));
    let token = fixture.token();
    // The default header names have no meaning any more, and `Authorization` belongs to the service.
    let headers = [
        ("x-ram-token", token.expose()),
        ("authorization", "Basic YTpi"),
        ("x-remote-user", "root"),
    ];
    let reply = send_request(&fixture, Method::GET, "/ext-authz", &headers).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(
        proxy_headers(&reply),
        [
            "cache-control: no-store",
            "x-envoy-auth-headers-to-remove: x-ram-token,x_user,x_group,x_id,\
             x_extra-arn,x-extra_arn,x_extra_arn,\
             x_extra-canonicalarn,x-extra_canonicalarn,x_extra_canonicalarn,\
             x_extra-sessionname,x-extra_sessionname,x_extra_sessionname,\
             x-extra-sessionname",
            "x-extra-arn: acs:ram::1234567890123456:user/alice",
            "x-extra-canonicalarn: acs:ram::1234567890123456:user/alice",
            "x-extra-sessionname: ",
            "x-group: dev,ops team",
            "x-id: ack-ram-authenticator:1234567890123456:200000000000000001",
            "x-user: alice",
        ]
    );
    let session = fixture.token_of(&demo::session_key());
    let headers = [("x-ram-token", session.expose())];
    let reply = send_request(&fixture, Method::GET, "/ext-authz", &headers).await;
    let detail = "not in any of the required groups";
    check_refusal("group", &reply, 403, "insufficient_scope", detail);
    let reference = Fingerprint::from_text(session.expose()).to_string();
    assert_eq!(reply.body["reference"], reference);
    for text in ["access granted", detail] {
        let is_it = |line: &str| line.contains(&reference) && line.contains(text);
        fixture.server_mut().wait_for_log(is_it, LIMIT).unwrap();
    }
}

#[tokio::test]
async fn disabled_ext_authz_answers_404() {
    for settings in [json!({}), json!({ "enabled": false }), Value::Null] {
        let fixture = start(&settings);
        let authorization = bearer_of_alice(&fixture);
        let headers = [("authorization", &*authorization)];
        for (method, path) in [
            (Method::GET, "/ext-authz"),
            (Method::POST, "/ext-authz/some/path"),
        ] {
            let reply = send_request(&fixture, method, path, &headers).await;
            assert_eq!(reply.status, 404, "{reply:?}");
            assert_eq!(reply.body["kind"], "Status");
        }
        assert!(fixture.sts.requests().is_empty());
    }
}

#[tokio::test]
async fn client_ca_requires_certificate_of_proxies() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    let init = authenticator::command(&state, &["init", "--client-cert"])
        .output()
        .unwrap();
    assert!(init.status.success(), "{init:?}");
    let [certificate, key] = client_of(&state.join("ack-ram-authenticator.kubeconfig"));
    let fixture = start_in(folder, &json!({ "enabled": true }), &json!({}));
    let authorization = bearer_of_alice(&fixture);
    let headers = [("authorization", &*authorization)];
    let reply = send_request(&fixture, Method::GET, "/ext-authz", &headers).await;
    assert_eq!(reply.status, 401, "{reply:?}");
    assert!(!reply.headers.contains_key("x-remote-user"));
    let refusals = "ack_ram_authenticator_client_refusals_total";
    let metrics = fixture.webhook().metrics().await;
    assert_eq!(metrics.value(refusals, &[("reason", "missing")]), Some(1.0));
    assert!(fixture.sts.requests().is_empty());

    let ca = fixture.ca_file();
    let proxy = WebhookClient::with_certificate(&ca, fixture.port, &certificate, &key).unwrap();
    let request = proxy.request(Method::GET, "/ext-authz");
    let request = request.header("authorization", authorization);
    let reply = proxy.send(request.body(Full::default()).unwrap()).await;
    let reply = reply.unwrap();
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.headers["x-remote-user"], "alice");
}

/// Returns the client certificate of a kubeconfig and its key, in PEM.
fn client_of(kubeconfig: &Path) -> [Vec<u8>; 2] {
    let text = fs::read_to_string(kubeconfig).unwrap();
    ["client-certificate-data", "client-key-data"].map(|field| {
        let line = text.lines().find(|line| line.contains(field)).unwrap();
        let value = line.rsplit(' ').next().unwrap().trim_matches('"');
        STANDARD.decode(value).unwrap()
    })
}

#[tokio::test]
async fn answers_are_counted_and_logged_without_token() {
    let mut fixture = start(&json!({ "enabled": true, "requiredGroups": ["dev"] }));
    let tokens = [
        fixture.token(),
        fixture.token_of(&demo::stranger_key()),
        fixture.token_of(&demo::session_key()),
    ];
    for token in &tokens {
        let headers = [("authorization", &*bearer(token))];
        let _counted = send_request(&fixture, Method::GET, "/ext-authz", &headers).await;
    }
    let _counted = send_request(&fixture, Method::GET, "/ext-authz", &[]).await;
    fixture.sts.set_fault(Some(Fault::ServiceUnavailable));
    let unavailable = fixture.token();
    let headers = [("authorization", &*bearer(&unavailable))];
    let _counted = send_request(&fixture, Method::GET, "/ext-authz", &headers).await;

    let metrics = fixture.webhook().metrics().await;
    for (name, labels, value) in [
        ("ext_authz_answers_total", ("answer", "passed"), 1.0),
        ("ext_authz_answers_total", ("answer", "no_token"), 1.0),
        ("ext_authz_answers_total", ("answer", "invalid_token"), 1.0),
        ("ext_authz_answers_total", ("answer", "forbidden"), 1.0),
        ("ext_authz_answers_total", ("answer", "unavailable"), 1.0),
        ("decisions_total", ("decision", "granted"), 2.0),
        ("decisions_total", ("decision", "denied"), 1.0),
        ("decisions_total", ("decision", "unable"), 1.0),
        (
            "authenticate_latency_seconds_count",
            ("result", "malformed_request"),
            1.0,
        ),
        (
            "authenticate_latency_seconds_count",
            ("result", "success"),
            2.0,
        ),
    ] {
        let found = metrics.value(&format!("ack_ram_authenticator_{name}"), &[labels]);
        assert_eq!(found, Some(value), "{name} {labels:?}");
    }
    let in_flight = "ack_ram_authenticator_authentications_in_flight";
    assert_eq!(metrics.value(in_flight, &[]), Some(0.0));

    for token in tokens.iter().chain([&unavailable]) {
        let reference = Fingerprint::from_text(token.expose()).to_string();
        let is_it = |line: &str| line.contains(&reference);
        fixture.server_mut().wait_for_log(is_it, LIMIT).unwrap();
        let log = fixture.log();
        assert!(!log.contains(token.expose()), "{log}");
    }
}
