//! Requests that are turned away: `tests/vectors/gateway.json`, and those about which STS is asked.

use std::collections::BTreeMap;

use ack_ram_tests::sts::demo;
use ack_ram_tests::vectors;
use hyper::Method;
use serde_json::json;

use crate::world::{World, bearer, check_refusal};

/// The worlds that the vectors need, by the header with the token.
fn worlds(cases: &[vectors::GatewayCase]) -> BTreeMap<&str, World> {
    let mut worlds = BTreeMap::new();
    for case in cases {
        let header = case.token_header.as_str();
        worlds
            .entry(header)
            .or_insert_with(|| World::start(&json!({ "enabled": true, "tokenHeader": header })));
    }
    worlds
}

#[tokio::test]
async fn each_request_is_answered_as_the_vectors_say() {
    let cases = vectors::gateway();
    let worlds = worlds(&cases);
    for case in &cases {
        let name = &case.name;
        let world = &worlds[&*case.token_header];
        let [token, other] = [(); 2].map(|()| world.token(&demo::user_key()));
        let (token, other) = (token.expose(), other.expose());
        let headers = case.headers(token, other);
        // The client speaks HTTP/2, which has no such header.
        if headers.iter().any(|(name, _)| name == "connection") {
            continue;
        }
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let path = format!("/ext-authz{}", case.path(token));
        let reply = world.ask(Method::GET, &path, &headers).await;
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
        let log = world.authenticator.log();
        assert!(
            !log.contains(token) && !log.contains(other),
            "{name}: {log}"
        );
    }
}

#[tokio::test]
async fn user_who_may_not_pass_is_told_why() {
    let world = World::start(&json!({ "enabled": true }));
    let good = world.alice();
    for (name, token, status, error, detail) in [
        (
            "nobody mapped",
            world.token(&demo::stranger_key()),
            401,
            "invalid_token",
            "`acs:ram::1234567890123456:user/mallory` is not mapped",
        ),
        (
            "a group that no header can tell",
            world.token(&demo::session_key()),
            403,
            "insufficient_scope",
            "has a comma",
        ),
    ] {
        let headers = [("authorization", &*bearer(&token))];
        let reply = world
            .ask(Method::GET, "/ext-authz/some/path", &headers)
            .await;
        check_refusal(name, &reply, status, error, detail);
    }
    let head = world.ask(Method::HEAD, "/ext-authz", &[]).await;
    assert_eq!((head.status.as_u16(), head.bytes.len()), (401, 0));

    // None of the refused ones used up a good token.
    let headers = [("authorization", &*good)];
    for path in ["/ext-authz", "/ext-authz/some/path"] {
        for second in [
            ("authorization", &*world.alice()),
            ("x-remote-user", "root"),
        ] {
            let reply = world.ask(Method::GET, path, &[headers[0], second]).await;
            assert!(matches!(reply.status.as_u16(), 401 | 403), "{reply:?}");
        }
    }
    let reply = world.ask(Method::GET, "/ext-authz", &headers).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    for path in ["/ext-authzx", "/ext-authz*", "/EXT-AUTHZ", "/x/ext-authz"] {
        let reply = world.ask(Method::GET, path, &headers).await;
        assert_eq!(reply.status, 404, "{path}");
    }
}
