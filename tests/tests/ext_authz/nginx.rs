//! The documented configuration in a real nginx, and the requests that reach the service.

use ack_ram_tests::sts::demo;
use serde_json::json;

use crate::fixture::{bearer, bearer_of_alice, start, start_with};
use crate::programs::Program;
use crate::proxied::{identity, lines};

#[tokio::test]
async fn service_behind_nginx_gets_identity_headers_only() {
    let fixture = start(&json!({ "enabled": true, "joinGroups": true }));
    let nginx = Program::Nginx.start(&fixture).await;
    let good = format!("authorization: {}", bearer_of_alice(&fixture));
    let stranger = bearer(&fixture.token_of(&demo::stranger_key()));
    let stranger = format!("authorization: {stranger}");
    let of = lines;
    let alice = of(&[
        "x-remote-group: dev,ops team",
        "x-remote-uid: ack-ram-authenticator:1234567890123456:200000000000000001",
        "x-remote-user: alice",
    ]);
    let hidden = format!(
        "cookie: theme=dark; token={}",
        good.rsplit(' ').next().unwrap()
    );
    for (name, method, lines, status) in [
        ("good", "GET", of(&[&good]), 200),
        ("a body", "POST", of(&[&good, "content-length: 0"]), 200),
        ("another method", "DELETE", of(&[&good]), 200),
        (
            "other spellings",
            "GET",
            of(&[&good, "x_remote_user: root", "x.remote.group: root"]),
            200,
        ),
        ("no token", "GET", of(&[]), 401),
        (
            "another scheme",
            "GET",
            of(&["authorization: Basic YTpi"]),
            401,
        ),
        ("an unmapped user", "GET", of(&[&stranger]), 401),
        ("two tokens", "GET", of(&[&good, &good]), 400),
        ("a user", "GET", of(&[&good, "x-remote-user: root"]), 403),
        (
            "a group",
            "GET",
            of(&[&good, "x-remote-group: system:masters"]),
            403,
        ),
        ("a uid", "GET", of(&[&good, "x-remote-uid: 0"]), 403),
        (
            "an extra value",
            "GET",
            of(&[&good, "x-remote-extra-scopes: all"]),
            403,
        ),
        (
            "another extra value",
            "GET",
            of(&[&good, "X-Remote-Extra-SessionName: root"]),
            403,
        ),
        // nginx sends its own `Connection` to the server and to the service.
        (
            "headers in Connection",
            "GET",
            of(&[&good, "connection: close, x-remote-group, X_Remote_User"]),
            200,
        ),
        (
            "other hop-by-hop headers",
            "GET",
            of(&[
                &good,
                "proxy-connection: x-remote-group",
                "keep-alive: x-remote-group",
                "te: x-remote-group",
            ]),
            200,
        ),
        (
            "an upgrade",
            "GET",
            of(&[
                &good,
                "connection: upgrade, x-remote-group",
                "upgrade: websocket",
            ]),
            200,
        ),
        ("a token elsewhere", "GET", of(&[&good, &hidden]), 403),
        (
            "no token, but a user",
            "GET",
            of(&["x-remote-user: root"]),
            403,
        ),
    ] {
        let (head, body) = nginx.proxy.send_request(method, "/a/b?c=d", &lines).await;
        let expected = format!("http/1.1 {status} ");
        assert!(head.starts_with(&expected), "{name}: {head}");
        if status == 200 {
            assert!(
                body.starts_with(&format!("{method} /a/b?c=d HTTP/1.")),
                "{name}: {body}"
            );
            assert_eq!(identity(&body), alice, "{name}");
        } else {
            assert_eq!(identity(&body), [""; 0], "{name}");
        }
        assert_eq!(
            head.contains("www-authenticate: bearer"),
            status == 401,
            "{name}: {head}"
        );
    }
    let (head, _) = nginx.proxy.send_request("GET", "/_ram", &[good]).await;
    assert!(head.starts_with("http/1.1 404 "), "{head}");
}

#[tokio::test]
async fn identity_header_named_by_connection_is_refused() {
    let fixture = start(&json!({ "enabled": true, "joinGroups": true }));
    // A proxy that forwards the `Connection` of its client to the server.
    let passed_on = (
        r#"proxy_set_header Connection "";"#,
        "proxy_set_header Connection $http_connection;",
    );
    let nginx = Program::Nginx.start_with(&fixture, &[passed_on]).await;
    let good = format!("authorization: {}", bearer_of_alice(&fixture));
    for (connection, status) in [
        ("close", 200),
        ("close, authorization", 200),
        ("close, x-remote-group", 403),
        ("close,X_Remote-User ,te", 403),
        ("x.remote.extra.arn, close", 403),
    ] {
        let sent = [good.clone(), format!("connection: {connection}")];
        let (head, _) = nginx.proxy.send_request("GET", "/", &sent).await;
        assert!(
            head.starts_with(&format!("http/1.1 {status} ")),
            "{sent:?}: {head}"
        );
    }
}

#[tokio::test]
async fn user_without_groups_or_session_gets_no_such_headers_behind_nginx() {
    let settings = json!({ "enabled": true, "joinGroups": true });
    let fixture = start_with(
        &settings,
        &json!({
            "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice", "groups": [] }],
        }),
    );
    let nginx = Program::Nginx.start(&fixture).await;
    let good = format!("authorization: {}", bearer_of_alice(&fixture));
    let (head, body) = nginx.proxy.send_request("GET", "/", &[good]).await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    let expected = [
        "x-remote-uid: ack-ram-authenticator:1234567890123456:200000000000000001",
        "x-remote-user: alice",
    ];
    assert_eq!(identity(&body), expected);
}

#[tokio::test]
async fn second_token_never_passes_nginx() {
    let settings = json!({ "enabled": true, "joinGroups": true, "tokenHeader": "x-ram-token" });
    let fixture = start(&settings);
    // The service has credentials of its own in `Authorization`.
    let own = (
        r#"proxy_set_header Authorization "";"#,
        r#"proxy_set_header X-Ram-Token "";"#,
    );
    let nginx = Program::Nginx.start_with(&fixture, &[own]).await;
    let token = fixture.token();
    let token = token.expose();
    let good = format!("x-ram-token: {token}");
    for (path, more, status) in [
        ("/", "accept: */*".to_owned(), 200),
        ("/", "authorization: Basic YTpi".to_owned(), 200),
        ("/", format!("authorization: Bearer {token}"), 403),
        ("/", format!("authorization: bearer  {token}"), 403),
        ("/", format!("x-forwarded-access-token: {token}"), 403),
        ("/", format!("cookie: a=b; c={token}"), 403),
        (&format!("/a?token={token}"), "accept: */*".to_owned(), 403),
    ] {
        nginx
            .proxy
            .check_no_token_passes(path, [good.clone(), more], status)
            .await;
    }
}

#[tokio::test]
async fn preflight_needs_token_behind_nginx_without_documented_lines() {
    let settings = json!({ "enabled": true, "joinGroups": true, "allowPreflight": true });
    let fixture = start(&settings);
    // nginx calls the server with another method.
    let nginx = Program::Nginx.start(&fixture).await;
    let sent = lines(&["origin: https://a", "access-control-request-method: PUT"]);
    let (head, _) = nginx.proxy.send_request("OPTIONS", "/", &sent).await;
    assert!(head.starts_with("http/1.1 401 "), "{head}");
}
