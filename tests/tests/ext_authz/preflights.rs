//! CORS preflights, which pass without a token if the setting allows it.

use hyper::Method;
use serde_json::json;

use crate::fixture::{bearer_of_alice, check_refusal, proxy_headers, send_request, start};

const ORIGIN: (&str, &str) = ("origin", "https://app.example.com");
const REQUESTED_METHOD: (&str, &str) = ("access-control-request-method", "PUT");

#[tokio::test]
async fn allowed_preflight_passes_without_user() {
    let fixture = start(&json!({ "enabled": true, "allowPreflight": true }));
    let reply = send_request(
        &fixture,
        Method::OPTIONS,
        "/ext-authz/a?b",
        &[ORIGIN, REQUESTED_METHOD],
    )
    .await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let forwarded = proxy_headers(&reply);
    for name in [
        "user",
        "group",
        "uid",
        "extra-arn",
        "extra-canonicalarn",
        "extra-sessionname",
    ] {
        let line = format!("x-remote-{name}: ");
        assert!(forwarded.contains(&line), "{line}: {forwarded:?}");
        let removed = reply.headers["x-envoy-auth-headers-to-remove"]
            .to_str()
            .unwrap();
        let name = format!("x-remote-{name}");
        assert!(removed.split(',').any(|other| other == name), "{removed}");
    }
    assert!(fixture.sts.requests().is_empty());
    let answers = "ack_ram_authenticator_ext_authz_answers_total";
    let metrics = fixture.webhook().metrics().await;
    assert_eq!(
        metrics.value(answers, &[("answer", "preflight")]),
        Some(1.0)
    );
    assert_eq!(metrics.value(answers, &[("answer", "passed")]), Some(0.0));
    let in_flight = "ack_ram_authenticator_authentications_in_flight";
    assert_eq!(metrics.value(in_flight, &[]), Some(0.0));

    // With a token, the request is a login.
    let alice = bearer_of_alice(&fixture);
    let headers = [ORIGIN, REQUESTED_METHOD, ("authorization", &*alice)];
    let reply = send_request(&fixture, Method::OPTIONS, "/ext-authz", &headers).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.headers["x-remote-user"]),
        (200, &"alice".parse().unwrap())
    );
}

#[tokio::test]
async fn request_other_than_preflight_needs_token() {
    let fixture = start(&json!({ "enabled": true, "allowPreflight": true }));
    let token = fixture.token();
    let cookie = format!("a={}", token.expose());
    let (options, get, post) = (Method::OPTIONS, Method::GET, Method::POST);
    for (method, more, status) in [
        // Other methods, even with a header that names OPTIONS.
        (&get, &[][..], 401),
        (&post, &[], 401),
        (&get, &[("x-forwarded-method", "OPTIONS")], 401),
        (&get, &[("x-original-method", "OPTIONS")], 401),
        (&post, &[("x-http-method-override", "OPTIONS")], 401),
        // The service could handle these as another method, or the proxy has replaced the method of its client.
        (&options, &[("x-http-method-override", "DELETE")], 401),
        (&options, &[("x_http.method", "GET")], 401),
        (&options, &[("x-method-override", "")], 401),
        (&options, &[("x-forwarded-method", "GET")], 401),
        (
            &options,
            &[
                ("x-forwarded-method", "OPTIONS"),
                ("x-forwarded-method", "GET"),
            ],
            401,
        ),
        (&options, &[("x-forwarded-method", "OPTIONS")], 200),
        // One of the two headers of a preflight.
        (&options, &[ORIGIN], 401),
        (&options, &[REQUESTED_METHOD], 401),
        // Credentials or identity headers.
        (&options, &[("authorization", "Bearer x")], 401),
        (&options, &[("authorization", "Basic YTpi")], 401),
        (&options, &[("x-remote-user", "root")], 403),
        (&options, &[("x_remote.extra-scopes", "all")], 403),
        (&options, &[("cookie", &*cookie)], 403),
    ] {
        let headers = [&[ORIGIN, REQUESTED_METHOD], more].concat();
        let reply = send_request(&fixture, method.clone(), "/ext-authz/a", &headers).await;
        let name = format!("{method} {more:?}");
        assert_eq!(reply.status, status, "{name}: {reply:?}");
        if status != 200 {
            let error = match (status, more) {
                (403, _) => "insufficient_scope",
                (_, [("authorization", "Bearer x")]) => "invalid_token",
                _ => "Bearer",
            };
            check_refusal(&name, &reply, status, error, "");
        }
    }
    for headers in [&[ORIGIN][..], &[REQUESTED_METHOD], &[]] {
        let reply = send_request(&fixture, Method::OPTIONS, "/ext-authz", headers).await;
        assert_eq!(reply.status, 401, "{headers:?}");
    }
    assert!(fixture.sts.requests().is_empty());
}

#[tokio::test]
async fn preflight_needs_token_by_default() {
    for settings in [
        json!({ "enabled": true }),
        json!({ "enabled": true, "allowPreflight": false }),
    ] {
        let fixture = start(&settings);
        let reply = send_request(
            &fixture,
            Method::OPTIONS,
            "/ext-authz",
            &[ORIGIN, REQUESTED_METHOD],
        )
        .await;
        check_refusal("preflight", &reply, 401, "Bearer", "there is no token");
    }
}
