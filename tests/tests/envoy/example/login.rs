//! Logins through the examples: allowed paths, headers for the service, and logs.

use ack_ram_tests::envoy::Protocol;
use ack_ram_tests::sts::demo;
use hyper::Version;
use serde_json::json;

use super::started::{Example, ExampleEnvoy};

/// Identity headers that a client claims, in spellings that Envoy accepts.
const SPOOFED: [(&str, &str); 8] = [
    ("X-Remote-User", "root"),
    ("x-remote-group", "system:masters"),
    ("x-remote-group", "ops"),
    ("x-remote-uid", "0"),
    ("x-remote-extra-sessionname", "root"),
    ("x-remote-extra-other", "root"),
    ("x.remote.user", "root"),
    ("x.remote-group", "ops"),
];

/// Returns the headers of the only request that the service has received, in order of their names. Headers that depend
/// on the machine or the time are left out.
fn stable_headers(started: &ExampleEnvoy, what: &str) -> Vec<String> {
    let received = started.only_request(what);
    let names = received.headers.keys();
    let mut names: Vec<_> = names.map(|name| name.as_str()).collect();
    names.sort_unstable();
    let changes = |name: &str| {
        matches!(name, "x-request-id" | "host" | "x-forwarded-for") || name.starts_with("x-envoy-")
    };
    let lines = names
        .into_iter()
        .filter(|name| !changes(name))
        .flat_map(|name| {
            let values = received.all(name).into_iter();
            values.map(move |value| format!("{name}: {value}"))
        });
    lines.collect()
}

#[tokio::test]
async fn service_gets_identity_headers_only() {
    for example in Example::BOTH {
        let started = example.start();
        let alice = [
            "x-forwarded-proto: http",
            "x-other: stays",
            "x-remote-extra-arn: acs:ram::1234567890123456:user/alice",
            "x-remote-extra-canonicalarn: acs:ram::1234567890123456:user/alice",
            "x-remote-group: developers",
            "x-remote-group: ops",
            "x-remote-uid: ack-ram-authenticator:1234567890123456:200000000000000001",
            "x-remote-user: alice",
        ];
        let anonymous = &alice[..2];
        for (protocol, version) in [
            (Protocol::Http1, Version::HTTP_11),
            (Protocol::Http2, Version::HTTP_2),
        ] {
            for (path, expected) in [("/", &alice[..]), ("/healthz", anonymous)] {
                let what = format!("{example:?} {protocol:?} {path}");
                let bearer = started.bearer(&demo::user_key());
                let mut headers = SPOOFED.to_vec();
                headers.extend([("authorization", &*bearer), ("x-other", "stays")]);
                let answer = started.client(protocol).get(path, &headers).await;
                let answer = answer.unwrap();
                assert_eq!(
                    (answer.status.as_u16(), answer.version),
                    (200, version),
                    "{what}"
                );
                assert_eq!(stable_headers(&started, &what), expected, "{what}");
            }
        }
        let answer = started.get("/", &[("x_remote_user", "root")]).await;
        assert_eq!(answer.status, 400, "{example:?}");
        assert!(started.service.take().is_empty(), "{example:?}");
        let uses = started.envoy.stat("runtime.deprecated_feature_use");
        assert_eq!(uses, 0, "{example:?}: {}", started.envoy.log());
        assert!(
            !started.envoy.log().contains("[warning]"),
            "{}",
            started.envoy.log()
        );
    }
}

/// The only form that Envoy supports before the fix of CVE-2026-26308.
const JOINED: (&str, &str) = (
    "overload_manager:",
    "layered_runtime: { layers: [{ name: earlier, static_layer: {
        envoy.reloadable_features.rbac_match_headers_individually: false }}]}
overload_manager:",
);

#[tokio::test]
async fn path_rules_hold_as_documented() {
    check_paths(&[]).await;
}

#[tokio::test]
async fn path_rules_hold_with_joined_groups() {
    check_paths(&[JOINED]).await;
}

async fn check_paths(changes: &[(&str, &str)]) {
    for example in Example::BOTH {
        let started = example.start_with(changes, None);
        let (alice, session, stranger) = (
            started.bearer(&demo::user_key()),
            started.bearer(&demo::session_key()),
            started.bearer(&demo::stranger_key()),
        );
        // The statuses without a token, for an unmapped user, for a user with the groups `developers` and
        // `ops-readers`, and for a user with `developers` and `ops`.
        for (path, statuses) in [
            ("/", [401, 401, 200, 200]),
            ("/unknown?a=b", [401, 401, 200, 200]),
            ("/healthz", [200; 4]),
            ("/healthz?a=b", [200; 4]),
            ("/x/../healthz", [200; 4]),
            ("/healthz/", [401, 401, 200, 200]),
            ("/healthz/x", [401, 401, 200, 200]),
            ("/healthz;x", [401, 401, 200, 200]),
            ("/HEALTHZ", [401, 401, 200, 200]),
            ("/x?/healthz", [401, 401, 200, 200]),
            ("/healthz%2fx", [400; 4]),
            ("/healthz%5c..%5cadmin", [400; 4]),
            ("/healthz/../admin", [401, 401, 403, 200]),
            ("/admin", [401, 401, 403, 200]),
            ("/admin/", [401, 401, 403, 200]),
            ("/admin/x?y", [401, 401, 403, 200]),
            ("/admin;x", [401, 401, 403, 200]),
            ("/ADMIN", [401, 401, 403, 200]),
            ("/%61dmin", [401, 401, 403, 200]),
            ("//admin", [401, 401, 403, 200]),
            ("/./admin", [401, 401, 403, 200]),
            ("/x/../admin", [401, 401, 403, 200]),
            ("/x/%2e%2e/admin", [401, 401, 403, 200]),
            ("/x/..%2fadmin", [400; 4]),
        ] {
            for (bearer, status) in [None, Some(&stranger), Some(&session), Some(&alice)]
                .into_iter()
                .zip(statuses)
            {
                let mut headers = vec![("x-remote-group", "ops")];
                headers.extend(bearer.map(|bearer| ("authorization", &**bearer)));
                let answer = started.get(path, &headers).await;
                let what = format!("{example:?} {path}: {answer:?}");
                assert_eq!(answer.status, status, "{what}");
                let passed = started.service.take();
                assert_eq!(passed.len(), usize::from(status == 200), "{what}");
                if status == 401 {
                    assert!(
                        answer.header("www-authenticate").starts_with("Bearer"),
                        "{what}"
                    );
                    assert_eq!(answer.header("content-type"), "application/problem+json");
                    assert_eq!(answer.header("cache-control"), "no-store");
                }
            }
        }
    }
}

#[tokio::test]
async fn access_log_names_the_user() {
    for example in Example::BOTH {
        let mut started = example.start();
        let (alice, session) = (
            started.bearer(&demo::user_key()),
            started.bearer(&demo::session_key()),
        );
        let rows = [
            ("/one", Some(&alice), json!("alice"), 200),
            ("/two", Some(&session), json!("dev:alice-example.com"), 200),
            (
                "/admin",
                Some(&session),
                json!("dev:alice-example.com"),
                403,
            ),
            ("/three", None, json!(null), 401),
            ("/healthz", Some(&alice), json!(null), 200),
        ];
        for (path, bearer, _, status) in &rows {
            let mut headers = vec![("x-remote-user", "root")];
            headers.extend(bearer.map(|bearer| ("authorization", &**bearer)));
            let target = format!("{path}?secret=mellon");
            assert_eq!(started.get(&target, &headers).await.status, *status);
        }
        // Envoy writes the access log every ten seconds.
        for (path, _, user, status) in rows {
            let line = started.access_log_line(path);
            assert_eq!(line["user"], user, "{example:?}: {line}");
            assert_eq!(line["status"], status, "{example:?}: {line}");
        }
        let log = started.envoy.log();
        for secret in ["mellon", &alice["Bearer ".len()..]] {
            assert!(!log.contains(secret), "{example:?}: {log}");
        }
    }
}
