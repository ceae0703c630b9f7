//! Refused requests: `tests/vectors/gateway.json`, and those that need a call to STS.

use std::collections::BTreeMap;

use ack_ram_tests::fixture::Fixture;
use ack_ram_tests::sts::demo;
use ack_ram_tests::vectors;
use hyper::Method;
use serde_json::json;

use crate::fixture::{bearer, bearer_of_alice, check_refusal, send_request, start};

/// Starts the fixtures that the vectors need, by the name of the token header.
fn fixtures(cases: &[vectors::GatewayCase]) -> BTreeMap<&str, Fixture> {
    let mut fixtures = BTreeMap::new();
    for case in cases {
        let header = case.token_header.as_str();
        fixtures
            .entry(header)
            .or_insert_with(|| start(&json!({ "enabled": true, "tokenHeader": header })));
    }
    fixtures
}

#[tokio::test]
async fn gateway_vectors_get_expected_answers() {
    let cases = vectors::gateway();
    let fixtures = fixtures(&cases);
    for case in &cases {
        let name = &case.name;
        let fixture = &fixtures[&*case.token_header];
        let [token, other] = [(); 2].map(|()| fixture.token());
        let (token, other) = (token.expose(), other.expose());
        let headers = case.headers(token, other);
        // The client uses HTTP/2, which has no such header.
        if headers.iter().any(|(name, _)| name == "connection") {
            continue;
        }
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let path = format!("/ext-authz{}", case.path(token));
        let reply = send_request(fixture, Method::GET, &path, &headers).await;
        match &case.refusal {
            None => assert_eq!(reply.status, 200, "{name}: {reply:?}"),
            Some(refusal) => {
                let (status, error) = match &*refusal.kind {
                    "no_token" => (401, "Bearer"),
                    "invalid_token" => (401, "invalid_token"),
                    "forbidden" => (403, "insufficient_scope"),
                    other => panic!("{name}: {other}"),
                };
                check_refusal(name, &reply, status, error, &refusal.detail);
            }
        }
        let log = fixture.log();
        assert!(
            !log.contains(token) && !log.contains(other),
            "{name}: {log}"
        );
    }
}

#[tokio::test]
async fn refused_user_gets_reason() {
    let fixture = start(&json!({ "enabled": true }));
    let good = bearer_of_alice(&fixture);
    for (name, token, status, error, detail) in [
        (
            "an unmapped user",
            fixture.token_of(&demo::stranger_key()),
            401,
            "invalid_token",
            "`acs:ram::1234567890123456:user/mallory` is not mapped",
        ),
        (
            "a group that a header cannot express",
            fixture.token_of(&demo::session_key()),
            403,
            "insufficient_scope",
            "contains a comma",
        ),
    ] {
        let headers = [("authorization", &*bearer(&token))];
        let reply = send_request(&fixture, Method::GET, "/ext-authz/some/path", &headers).await;
        check_refusal(name, &reply, status, error, detail);
    }
    let head = send_request(&fixture, Method::HEAD, "/ext-authz", &[]).await;
    assert_eq!((head.status.as_u16(), head.bytes.len()), (401, 0));

    // The refused requests have not used up a valid token.
    let headers = [("authorization", &*good)];
    for path in ["/ext-authz", "/ext-authz/some/path"] {
        for second in [
            ("authorization", &*bearer_of_alice(&fixture)),
            ("x-remote-user", "root"),
        ] {
            let reply = send_request(&fixture, Method::GET, path, &[headers[0], second]).await;
            assert!(matches!(reply.status.as_u16(), 401 | 403), "{reply:?}");
        }
    }
    let reply = send_request(&fixture, Method::GET, "/ext-authz", &headers).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    for path in ["/ext-authzx", "/ext-authz*", "/EXT-AUTHZ", "/x/ext-authz"] {
        let reply = send_request(&fixture, Method::GET, path, &headers).await;
        assert_eq!(reply.status, 404, "{path}");
    }
}
