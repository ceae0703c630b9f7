//! A server with external authorization, and its STS.

pub(crate) use ack_ram_tests::callers::bearer;
pub(crate) use ack_ram_tests::eventually::LIMIT;
use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::sts::demo;
use ack_ram_tests::webhook::Reply;
use http_body_util::Full;
use hyper::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Starts a server with `settings` as `server.extAuthz`.
pub(crate) fn start(settings: &Value) -> Fixture {
    start_with(settings, &json!({}))
}

/// Starts a server with `settings` as `server.extAuthz`, and `server` merged into the settings of the server.
pub(crate) fn start_with(settings: &Value, server: &Value) -> Fixture {
    start_in(tempfile::tempdir().unwrap(), settings, server)
}

/// Starts a server like [`start_with`], with its files in `folder`.
pub(crate) fn start_in(folder: TempDir, settings: &Value, server: &Value) -> Fixture {
    let builder = Fixture::builder().folder(folder).settings(&json!({
        "mapUsers": [{ "userARN": demo::USER_ARN, "username": "alice", "groups": ["dev", "ops team"] }],
        "mapRoles": [{
            "roleARN": demo::ROLE_ARN,
            "username": "dev:{{SessionName}}",
            "groups": ["dev", "a,b"],
        }],
        "extAuthz": settings,
    }));
    builder.settings(server).start()
}

/// Returns an `Authorization` value with a new token of Alice.
pub(crate) fn bearer_of_alice(fixture: &Fixture) -> String {
    bearer(&fixture.token())
}

/// Sends a request to the webhook port, as a proxy does.
pub(crate) async fn send_request(
    fixture: &Fixture,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
) -> Reply {
    let mut request = fixture.webhook().request(method, path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::default()).unwrap();
    fixture.webhook().send(request).await.unwrap()
}

/// Returns the headers of an answer that are relevant to proxies, sorted by name.
pub(crate) fn proxy_headers(reply: &Reply) -> Vec<String> {
    let mut lines: Vec<String> = reply
        .headers
        .iter()
        .filter(|(name, _)| !["date", "content-length"].contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    // Repeated headers keep their order.
    lines.sort_by(|a, b| a.split(':').next().cmp(&b.split(':').next()));
    lines
}

/// Checks that `reply` is a refusal with this status and detail.
pub(crate) fn check_refusal(name: &str, reply: &Reply, status: u16, error: &str, detail: &str) {
    assert_eq!(reply.status, status, "{name}: {reply:?}");
    assert_eq!(
        reply.headers["content-type"], "application/problem+json",
        "{name}"
    );
    assert_eq!(reply.headers["cache-control"], "no-store", "{name}");
    assert_eq!(reply.body["status"], status, "{name}");
    let said = reply.body["detail"].as_str().unwrap();
    assert!(said.contains(detail), "{name}: {said}");
    let challenge = reply.headers.get("www-authenticate");
    let challenge = challenge.map_or("", |challenge| challenge.to_str().unwrap());
    match error {
        "" => assert_eq!(challenge, "", "{name}"),
        "Bearer" => assert_eq!(challenge, "Bearer", "{name}"),
        error => {
            let start = format!(r#"Bearer error="{error}", error_description=""#);
            assert!(challenge.starts_with(&start), "{name}: {challenge}");
        }
    }
    let retry_after = reply.headers.get("retry-after");
    assert_eq!(retry_after.is_some(), status == 503, "{name}");
    let names = reply.headers.keys().map(|name| name.as_str());
    let identity_headers = names.filter(|name| name.starts_with("x-")).count();
    assert_eq!(identity_headers, 0, "{name}: {reply:?}");
}
