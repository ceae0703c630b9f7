//! Requests that reach the service, and answers that reach the client.

use ack_ram_core::secret::Secret;
use ack_ram_tests::envoy::{Module, Protocol};
use ack_ram_tests::sts::demo;
use hyper::Version;
use serde_json::json;

use crate::fixture::{EnvoyFixture, bearer};

#[tokio::test]
async fn service_gets_identity_headers_and_no_token() {
    let fixture = EnvoyFixture::start(Module::Small, |_| ());
    for (protocol, version) in [
        (Protocol::Http1, Version::HTTP_11),
        (Protocol::Http2, Version::HTTP_2),
    ] {
        let token = bearer(&fixture.token());
        for calls in [1, 0] {
            fixture.sts.clear_requests();
            let headers = [("authorization", &*token), ("x-other", "stays")];
            let answer = fixture.client(protocol).get("/a?b=c", &headers).await;
            let answer = answer.unwrap();
            assert_eq!(answer.status, 200, "{protocol:?}: {answer:?}");
            assert_eq!(fixture.sts.requests().len(), calls, "{protocol:?}");

            let received = fixture.only_request();
            assert_eq!((received.version, &*received.target), (version, "/a?b=c"));
            for (name, values) in [
                ("x-remote-user", &["alice"][..]),
                (
                    "x-remote-uid",
                    &["ack-ram-authenticator:1234567890123456:200000000000000001"],
                ),
                ("x-remote-group", &["dev", "ops"]),
                ("x-remote-extra-arn", &[demo::USER_ARN]),
                ("x-remote-extra-canonicalarn", &[demo::USER_ARN]),
                ("x-remote-extra-sessionname", &[]),
                ("x-other", &["stays"]),
                ("authorization", &[]),
            ] {
                assert_eq!(received.all(name), values, "{protocol:?}: {name}");
            }
        }
    }
    let session = fixture.token_of(&demo::session_key());
    assert_eq!(fixture.get("/", &session).await.status, 200);
    let received = fixture.only_request();
    assert_eq!(received.all("x-remote-user"), ["dev:alice-example.com"]);
    assert_eq!(received.all("x-remote-extra-sessionname"), [demo::SESSION]);
}

#[tokio::test]
async fn refused_request_gets_reason() {
    let fixture = EnvoyFixture::start(Module::Small, |settings| {
        settings["requiredGroups"] = json!(["ops"]);
    });
    let (alice, session, stranger) = (
        bearer(&fixture.token()),
        bearer(&fixture.token_of(&demo::session_key())),
        bearer(&fixture.token_of(&demo::stranger_key())),
    );
    let garbage = bearer(&Secret::new("k8s-ack-v2.x"));
    for (name, headers, status, challenge, detail, grpc) in [
        ("none", &[][..], 401, "Bearer", "there is no token", "16"),
        (
            "basic",
            &["Basic YTpi"],
            401,
            "Bearer",
            "there is no token",
            "16",
        ),
        (
            "two",
            &[&alice, &alice],
            401,
            r#"Bearer error="invalid_token""#,
            "more than one token",
            "16",
        ),
        (
            "garbage",
            &[&garbage],
            401,
            r#"Bearer error="invalid_token""#,
            "token",
            "16",
        ),
        (
            "a stranger",
            &[&stranger],
            401,
            r#"Bearer error="invalid_token""#,
            "map",
            "16",
        ),
        (
            "of other groups",
            &[&session],
            403,
            r#"Bearer error="insufficient_scope""#,
            "groups",
            "7",
        ),
    ] {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let headers: Vec<_> = headers
                .iter()
                .map(|&value| ("authorization", value))
                .collect();
            let answer = fixture.client(protocol).get("/", &headers).await.unwrap();
            assert_eq!(answer.status, status, "{name}: {answer:?}");
            let found = answer.header("www-authenticate");
            assert!(found.starts_with(challenge), "{name}: {found}");
            assert_eq!(
                found == "Bearer",
                name == "none" || name == "basic",
                "{name}"
            );
            assert_eq!(answer.header("content-type"), "application/problem+json");
            assert_eq!(answer.header("cache-control"), "no-store");
            let problem = answer.json();
            assert_eq!(problem["status"], status, "{name}: {problem}");
            let said = problem["detail"].as_str().unwrap();
            assert!(said.contains(detail), "{name}: {said}");

            let grpc_headers = [&headers[..], &[("content-type", "application/grpc")]].concat();
            let answer = fixture.client(protocol).get("/s/m", &grpc_headers).await;
            let answer = answer.unwrap();
            assert_eq!(answer.status, 200, "{name}: {answer:?}");
            assert_eq!(answer.header("grpc-status"), grpc, "{name}: {answer:?}");
            assert_eq!(answer.header("cache-control"), "no-store", "{name}");
            assert!(
                answer.header("grpc-message").contains(detail),
                "{name}: {answer:?}"
            );

            // Only gRPC, as Envoy detects it, gets a refusal with status 200.
            for kind in ["application/grpc;a=b", "application/grpc-web"] {
                let headers = [&headers[..], &[("content-type", kind)]].concat();
                let answer = fixture
                    .client(protocol)
                    .get("/s/m", &headers)
                    .await
                    .unwrap();
                assert_eq!(answer.status, status, "{name} {kind}: {answer:?}");
            }
        }
    }
    assert!(fixture.service.take().is_empty());
}
