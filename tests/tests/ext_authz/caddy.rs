//! The documented configuration in a real Caddy, and the requests that reach the service.

use ack_ram_tests::sts::demo;
use serde_json::json;

use crate::fixture::{bearer, bearer_of_alice, start, start_with};
use crate::programs::Program;
use crate::proxied::{identity, lines};

/// The documented lines that reject requests with an identity header in `Connection`.
const ENDS_HERE: [&str; 2] = [
    "@ends_here header_regexp Connection (?i)x.remote",
    "error @ends_here 400",
];

const UID: &str = "x-remote-uid: ack-ram-authenticator:1234567890123456:200000000000000001";

/// Returns the identity headers of Alice at the service.
fn alice() -> Vec<String> {
    lines(&[
        "x-remote-extra-arn: acs:ram::1234567890123456:user/alice",
        "x-remote-extra-canonicalarn: acs:ram::1234567890123456:user/alice",
        "x-remote-group: dev,ops team",
        UID,
        "x-remote-user: alice",
    ])
}

/// Returns the identity headers at the service without empty ones, which later versions of Caddy leave out.
fn identity_headers(head: &str) -> Vec<String> {
    let mut forwarded = identity(head);
    forwarded.retain(|line| !line.ends_with(": "));
    forwarded
}

#[tokio::test]
async fn service_behind_caddy_gets_identity_headers_only() {
    let fixture = start(&json!({ "enabled": true, "joinGroups": true }));
    let caddy = Program::Caddy.start(&fixture).await;
    let good = format!("authorization: {}", bearer_of_alice(&fixture));
    let stranger = bearer(&fixture.token_of(&demo::stranger_key()));
    let stranger = format!("authorization: {stranger}");
    let hidden = format!(
        "cookie: theme=dark; token={}",
        good.rsplit(' ').next().unwrap()
    );
    for (method, sent, status) in [
        ("GET", lines(&[&good]), 200),
        ("POST", lines(&[&good, "content-length: 0"]), 200),
        ("DELETE", lines(&[&good]), 200),
        ("GET", lines(&[]), 401),
        ("GET", lines(&["authorization: Basic YTpi"]), 401),
        ("GET", lines(&[&stranger]), 401),
        ("GET", lines(&[&good, &good]), 401),
        ("GET", lines(&[&good, &hidden]), 403),
        // Identity headers that a client claims, in every spelling.
        ("GET", lines(&[&good, "x-remote-user: root"]), 403),
        ("GET", lines(&[&good, "X_Remote_User: root"]), 403),
        ("GET", lines(&[&good, "x.remote.group: root"]), 403),
        ("GET", lines(&[&good, "x-remote_group: root"]), 403),
        ("GET", lines(&[&good, "x-remote-extra-scopes: all"]), 403),
        ("GET", lines(&["x-remote-user: root"]), 403),
        // Headers that `Connection` names, so that a proxy would remove them after the login.
        ("GET", lines(&[&good, "connection: x-remote-group"]), 400),
        (
            "GET",
            lines(&[&good, "connection: close,\tX-Remote-User"]),
            400,
        ),
        (
            "GET",
            lines(&[&good, "x_remote_user: root", "connection: x_remote_user"]),
            400,
        ),
        (
            "GET",
            lines(&[&good, "connection: close", "connection: x-remote-group"]),
            400,
        ),
        (
            "GET",
            lines(&[
                &good,
                "connection: upgrade, x-remote-group",
                "upgrade: websocket",
            ]),
            400,
        ),
        (
            "GET",
            lines(&[&good, "connection: close, authorization"]),
            401,
        ),
        // Other hop-by-hop headers, which remove nothing.
        (
            "GET",
            lines(&[
                &good,
                "proxy-connection: x-remote-group",
                "keep-alive: x-remote-group",
                "te: x-remote-group",
                "upgrade: x-remote-group",
                "trailer: x-remote-group",
            ]),
            200,
        ),
        (
            "GET",
            lines(&[&good, "connection: upgrade", "upgrade: websocket"]),
            200,
        ),
    ] {
        let (head, body) = caddy.proxy.send_request(method, "/a/b?c=d", &sent).await;
        // Version 2.11 removes names with `_` and `.` before it calls the server.
        let is_removed = status == 403 && head.starts_with("http/1.1 200 ");
        let has_other_signs = sent.iter().any(|line| {
            let name = line.split(':').next();
            name.is_some_and(|name| name.contains(['_', '.']))
        });
        let status = if is_removed && has_other_signs {
            200
        } else {
            status
        };
        assert!(
            head.starts_with(&format!("http/1.1 {status} ")),
            "{sent:?}: {head}"
        );
        if status == 200 {
            let start = format!("{method} /a/b?c=d HTTP/1.");
            assert!(body.starts_with(&start), "{sent:?}: {body}");
            assert_eq!(identity_headers(&body), alice(), "{sent:?}");
        } else {
            assert_eq!(identity(&body), [""; 0], "{sent:?}");
        }
        let is_challenge = head.contains("www-authenticate: bearer");
        assert_eq!(
            is_challenge,
            matches!(status, 401 | 403),
            "{sent:?}: {head}"
        );
    }
}

#[tokio::test]
async fn path_without_login_gets_no_claims_or_tokens_behind_caddy() {
    let fixture = start(&json!({ "enabled": true, "joinGroups": true }));
    let caddy = Program::Caddy.start(&fixture).await;
    let sent = lines(&[
        &format!("authorization: {}", bearer_of_alice(&fixture)),
        "x-remote-user: root",
        "X-Remote_User: root",
        "x_remote-group: ops",
        "x_remote_uid: 0",
        "x.remote.user: root",
        "x-remote-extra-scopes: all",
    ]);
    let (head, body) = caddy.proxy.send_request("GET", "/healthz", &sent).await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert_eq!(identity(&body), [""; 0]);
}

#[tokio::test]
async fn caddy_without_documented_rule_removes_groups_named_by_connection() {
    let fixture = start(&json!({ "enabled": true, "joinGroups": true }));
    let caddy = Program::Caddy
        .start_with(&fixture, &ENDS_HERE.map(|line| (line, "")))
        .await;
    let good = format!("authorization: {}", bearer_of_alice(&fixture));
    let sent = [good, "connection: close, x-remote-group".to_owned()];
    let (head, body) = caddy.proxy.send_request("GET", "/", &sent).await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    let mut expected = alice();
    expected.retain(|line| !line.starts_with("x-remote-group"));
    assert_eq!(identity_headers(&body), expected);
}

#[tokio::test]
async fn user_without_groups_or_session_gets_no_placeholder_behind_caddy() {
    for joins_groups in [false, true] {
        let settings = json!({ "enabled": true, "joinGroups": joins_groups });
        let fixture = start_with(
            &settings,
            &json!({
                "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice", "groups": [] }],
                "mapRoles": [{
                    "roleARN": demo::ROLE_ARN,
                    "username": "dev:{{SessionName}}",
                    "groups": ["dev", "ops"],
                }],
            }),
        );
        let caddy = Program::Caddy.start(&fixture).await;
        let values = |body: &str, name: &str| -> Vec<String> {
            let start = format!("x-remote-{name}: ");
            let lines = identity_headers(body).into_iter();
            lines
                .filter_map(|line| line.strip_prefix(&start).map(str::to_owned))
                .collect()
        };
        for (key, user, group, session) in [
            (demo::user_key(), "alice", "", ""),
            (
                demo::session_key(),
                "dev:alice-example.com",
                "dev,ops",
                demo::SESSION,
            ),
        ] {
            let good = format!("authorization: {}", bearer(&fixture.token_of(&key)));
            let (head, body) = caddy.proxy.send_request("GET", "/", &[good]).await;
            assert!(head.starts_with("http/1.1 200 "), "{head}");
            assert!(!body.contains('{'), "{body}");
            assert_eq!(values(&body, "user"), [user]);
            for (name, value) in [("group", group), ("extra-sessionname", session)] {
                let forwarded = values(&body, name).join(";");
                assert_eq!(forwarded, value, "{name}: {body}");
            }
        }
    }
}

#[tokio::test]
async fn second_token_never_passes_caddy() {
    let settings = json!({ "enabled": true, "joinGroups": true, "tokenHeader": "x-ram-token" });
    let fixture = start(&settings);
    // The service has credentials of its own in `Authorization`.
    let own = (
        "\t\t\trequest_header -Authorization",
        "\t\t\trequest_header -X-Ram-Token",
    );
    let caddy = Program::Caddy.start_with(&fixture, &[own]).await;
    let token = fixture.token();
    let token = token.expose();
    let good = format!("x-ram-token: {token}");
    for (path, more, status) in [
        ("/", "accept: */*".to_owned(), 200),
        ("/", "authorization: Basic YTpi".to_owned(), 200),
        ("/", format!("authorization: Bearer {token}"), 403),
        ("/", format!("cookie: a=b; c={token}"), 403),
        (&format!("/a?token={token}"), "accept: */*".to_owned(), 403),
        // A header that `Connection` names reaches neither the server nor the service.
        (
            "/",
            format!("authorization: Bearer {token}\r\nconnection: close, authorization"),
            200,
        ),
    ] {
        caddy
            .proxy
            .check_no_token_passes(path, [good.clone(), more], status)
            .await;
    }
}
