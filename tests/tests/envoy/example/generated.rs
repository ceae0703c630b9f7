//! Envoy with the configurations that Istio and Envoy Gateway generate. Both set headers of the answer instead of
//! appending them, so only one of several headers with the same name remains.

use ack_ram_tests::envoy::{Protocol, ReceivedRequest};
use ack_ram_tests::sts::demo;
use serde_json::{Value, json};

use super::started::{Example, ExampleEnvoy};

const BOTH: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

/// Identity headers that a client claims. Envoy rejects names with `_`.
const SPOOFED: [(&str, &str); 10] = [
    ("X-Remote-User", "root"),
    ("x-remote-group", "system:masters"),
    ("x-remote-group", "ops"),
    ("x-remote-uid", "0"),
    ("x-remote-extra-arn", "acs:ram::1:root"),
    ("x-remote-extra-sessionname", "root"),
    ("X-Remote-Extra-Scopes", "all"),
    ("x.remote.user", "root"),
    ("x.remote-group", "ops"),
    ("x~remote|extra-scopes", "all"),
];

/// The same headers in spellings with `_`.
const UNDERSCORES: [(&str, &str); 4] = [
    ("X_Remote_User", "root"),
    ("x-remote_group", "system:masters"),
    ("x_remote_extra_scopes", "all"),
    ("x_remote-uid", "0"),
];

const ALICE: [&str; 5] = [
    "x-remote-extra-arn: acs:ram::1234567890123456:user/alice",
    "x-remote-extra-canonicalarn: acs:ram::1234567890123456:user/alice",
    "x-remote-group: developers,ops",
    "x-remote-uid: ack-ram-authenticator:1234567890123456:200000000000000001",
    "x-remote-user: alice",
];

/// Returns the identity headers of a request in any spelling, and headers with a token.
fn identity(received: &ReceivedRequest) -> Vec<String> {
    let headers = received.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        format!("{name}: {value}")
    });
    let mut headers: Vec<_> = headers
        .filter(|line| {
            let dashes = line.replace(|sign: char| !sign.is_ascii_alphanumeric(), "-");
            dashes.starts_with("x-remote-") || line.contains("k8s-ack-v")
        })
        .collect();
    headers.sort_unstable();
    headers
}

async fn get(
    started: &ExampleEnvoy,
    protocol: Protocol,
    path: &str,
    headers: &[(&str, &str)],
) -> (u16, Vec<String>) {
    let answer = started.client(protocol).get(path, headers).await;
    let status = answer
        .unwrap_or_else(|error| panic!("{error}: {}", started.envoy.log()))
        .status;
    let forwarded = match status.as_u16() {
        200 => identity(&started.only_request(path)),
        _ => {
            assert!(started.service.take().is_empty(), "{path}");
            Vec::new()
        }
    };
    (status.as_u16(), forwarded)
}

#[tokio::test]
async fn all_groups_arrive_and_client_claims_do_not() {
    for example in Example::GENERATED {
        let started = example.start();
        for protocol in BOTH {
            let bearer = started.bearer(&demo::user_key());
            let good = ("authorization", &*bearer);
            for (path, expected) in [("/", &ALICE[..]), ("/healthz", &[])] {
                let what = format!("{example:?} {protocol:?} {path}");
                for headers in [vec![good], [&SPOOFED[..], &[good]].concat()] {
                    let forwarded = get(&started, protocol, path, &headers).await;
                    assert_eq!(forwarded, (200, lines(expected)), "{what}");
                }
            }
            let (status, _) = get(&started, protocol, "/", &SPOOFED).await;
            assert_eq!(status, 401, "{example:?} {protocol:?}");
        }
        for spoofed in UNDERSCORES {
            let bearer = started.bearer(&demo::user_key());
            let headers = [spoofed, ("authorization", &*bearer)];
            for path in ["/", "/healthz"] {
                let (status, _) = get(&started, Protocol::Http1, path, &headers).await;
                assert_eq!(status, 400, "{example:?} {spoofed:?}");
            }
        }
        let refused = started.get("/", &[]).await;
        assert_eq!(refused.header("www-authenticate"), "Bearer", "{example:?}");
        assert_eq!(refused.header("content-type"), "application/problem+json");
        let uses = started.envoy.stat("runtime.deprecated_feature_use");
        assert_eq!(uses, 0, "{example:?}: {}", started.envoy.log());
    }
}

#[tokio::test]
async fn user_without_groups_or_session_gets_no_such_headers() {
    for example in Example::GENERATED {
        let started = example.start_with_server(&[], None, |server| {
            server["extAuthz"] = json!({ "enabled": true, "joinGroups": true });
            server["mapUsers"][0]["groups"] = json!([]);
        });
        let bearer = started.bearer(&demo::user_key());
        let headers = [&SPOOFED[..], &[("authorization", &*bearer)]].concat();
        let mut expected = lines(&ALICE);
        expected.retain(|line| !line.starts_with("x-remote-group"));
        let forwarded = get(&started, Protocol::Http1, "/", &headers).await;
        assert_eq!(forwarded, (200, expected), "{example:?}");
    }
}

/// Returns changes that disable the early removal, allow names with `_`, and do not send identity headers to the
/// server.
fn insecure_changes(example: Example) -> Vec<(&'static str, &'static str)> {
    let mut changes = vec![
        (
            r#"regex: "x.remote.(user|group|uid|extra..*)""#,
            "regex: none",
        ),
        ("REJECT_REQUEST }", "ALLOW }"),
    ];
    changes.push(match example {
        Example::Istio => (
            "- { prefix: x, ignore_case: true }",
            "- { exact: none, ignore_case: true }",
        ),
        _ => (
            "- exact: authorization
                - exact: x-remote-user
                - exact: x-remote-group
                - exact: x-remote-uid
                - exact: x-remote-extra-arn
                - exact: x-remote-extra-canonicalarn
                - exact: x-remote-extra-sessionname
",
            "- exact: authorization\n",
        ),
    });
    changes
}

/// The documented risks.
#[tokio::test]
async fn separate_groups_and_late_removal_lose_groups_and_pass_claims() {
    for example in Example::GENERATED {
        let changes = insecure_changes(example);
        let started = example.start_with_server(&changes, None, |server| {
            server["extAuthz"] = json!({ "enabled": true, "joinGroups": false });
        });
        let bearer = started.bearer(&demo::user_key());
        let headers = [&SPOOFED[..], &UNDERSCORES, &[("authorization", &*bearer)]].concat();
        let (status, forwarded) = get(&started, Protocol::Http1, "/", &headers).await;
        assert_eq!(status, 200, "{example:?}");
        // One of two groups remains, because others overwrite it.
        let groups = forwarded
            .iter()
            .filter(|line| line.starts_with("x-remote-group"));
        assert_eq!(
            groups.collect::<Vec<_>>(),
            ["x-remote-group: ops"],
            "{example:?}"
        );
        // The values of the server replace headers that the server names, with `_` as well as with `-`.
        let mut expected = lines(&ALICE);
        expected.retain(|line| !line.starts_with("x-remote-group"));
        let from_server = forwarded
            .iter()
            .filter(|line| expected.contains(line))
            .count();
        assert_eq!(from_server, expected.len(), "{example:?}: {forwarded:?}");
        let mut claims: Vec<_> = forwarded;
        claims.retain(|line| !expected.contains(line) && line != "x-remote-group: ops");
        // All other claims arrive.
        let through = [
            "x-remote-extra-scopes: all",
            "x.remote-group: ops",
            "x.remote.user: root",
            "x_remote_extra_scopes: all",
            "x~remote|extra-scopes: all",
        ];
        assert_eq!(claims, through, "{example:?}");
        // Without a login, every claim arrives.
        let (_, forwarded) = get(&started, Protocol::Http1, "/healthz", &headers).await;
        assert_eq!(
            forwarded.len(),
            SPOOFED.len() + UNDERSCORES.len(),
            "{example:?}: {forwarded:?}"
        );
    }
}

/// The second defense: claims that are not removed, but sent to the server.
#[tokio::test]
async fn client_claims_sent_to_the_server_are_refused() {
    for example in Example::GENERATED {
        let mut changes = insecure_changes(example);
        changes.truncate(2);
        let started = example.start_with(&changes, None);
        let bearer = started.bearer(&demo::user_key());
        for spoofed in SPOOFED.into_iter().chain(UNDERSCORES) {
            let headers = [spoofed, ("authorization", &*bearer)];
            let (status, forwarded) = get(&started, Protocol::Http1, "/", &headers).await;
            let name = spoofed.0.to_ascii_lowercase();
            let is_sent = match example {
                Example::Istio => true,
                // This example sends only headers with a fixed name.
                _ => {
                    ALICE
                        .iter()
                        .any(|line| line.starts_with(&format!("{name}:")))
                        || name == "x-remote-extra-sessionname"
                }
            };
            if is_sent {
                assert_eq!(status, 403, "{example:?} {name}");
            } else {
                assert_eq!(status, 200, "{example:?} {name}");
                let is_removed =
                    ["x_remote_user", "x-remote_group", "x_remote-uid"].contains(&&*name);
                let arrives = forwarded
                    .iter()
                    .any(|line| line.starts_with(&format!("{name}:")));
                assert_eq!(arrives, !is_removed, "{example:?} {name}: {forwarded:?}");
            }
        }
    }
}

#[test]
fn tested_configuration_equals_the_documented_objects() {
    let pointer = |value: &Value, path: &str| -> Value {
        value
            .pointer(path)
            .unwrap_or_else(|| panic!("{path}: {value}"))
            .clone()
    };
    const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
    let manager = |example: Example| pointer(&example.configuration(), MANAGER);
    let object = |objects: &[Value], kind: &str| -> Value {
        let found = objects.iter().find(|object| object["kind"] == kind);
        found.unwrap_or_else(|| panic!("no {kind}")).clone()
    };

    // Istio: `x-a-*` is a prefix, `*-a` a suffix, and any other name is exact. Case is ignored (generateHeaders).
    let patterns = |names: &Value| -> Vec<Value> {
        let names = names.as_array().unwrap().iter();
        names
            .map(|name| {
                let name = name.as_str().unwrap();
                match name.strip_suffix('*') {
                    Some(prefix) => json!({ "prefix": prefix, "ignore_case": true }),
                    None => json!({ "exact": name, "ignore_case": true }),
                }
            })
            .collect()
    };
    let objects = Example::Istio.objects();
    let generated = manager(Example::Istio);
    let ext_authz = pointer(&generated, "/http_filters/1/typed_config");
    let provider = object(&objects, "IstioOperator");
    let provider = pointer(
        &provider,
        "/spec/meshConfig/extensionProviders/0/envoyExtAuthzHttp",
    );
    for (field, path) in [
        ("includeRequestHeadersInCheck", "/allowed_headers/patterns"),
        (
            "headersToUpstreamOnAllow",
            "/http_service/authorization_response/allowed_upstream_headers/patterns",
        ),
        (
            "headersToDownstreamOnDeny",
            "/http_service/authorization_response/allowed_client_headers/patterns",
        ),
    ] {
        let expected = Value::from(patterns(&provider[field]));
        assert_eq!(pointer(&ext_authz, path), expected, "{field}");
    }
    assert_eq!(ext_authz["failure_mode_allow"], provider["failOpen"]);
    assert_eq!(
        ext_authz["http_service"]["path_prefix"],
        provider["pathPrefix"]
    );
    assert_eq!(
        ext_authz["http_service"]["server_uri"]["timeout"],
        provider["timeout"]
    );
    assert_eq!(provider["statusOnError"], "503");
    let filter = object(&objects, "EnvoyFilter");
    let patch = pointer(&filter, "/spec/configPatches/0/patch/value/typed_config");
    for field in [
        "early_header_mutation_extensions",
        "common_http_protocol_options",
    ] {
        assert_eq!(generated[field], patch[field], "{field}");
    }
    let policy = object(&objects, "AuthorizationPolicy");
    assert_eq!(policy["spec"]["action"], "CUSTOM");
    let open = pointer(&policy, "/spec/rules/0/to/0/operation/notPaths");
    assert_eq!(open, json!(["/healthz"]));

    // Envoy Gateway: only exact names.
    let exact = |names: &Value| -> Vec<Value> {
        let names = names.as_array().unwrap().iter();
        names.map(|name| json!({ "exact": name })).collect()
    };
    let objects = Example::EnvoyGateway.objects();
    let generated = manager(Example::EnvoyGateway);
    let ext_authz = pointer(&generated, "/http_filters/0/typed_config");
    let policy = object(&objects, "SecurityPolicy");
    let policy = &policy["spec"]["extAuth"];
    for (field, path) in [
        ("/headersToExtAuth", "/allowed_headers/patterns"),
        (
            "/http/headersToBackend",
            "/http_service/authorization_response/allowed_upstream_headers/patterns",
        ),
    ] {
        let expected = Value::from(exact(&pointer(policy, field)));
        assert_eq!(pointer(&ext_authz, path), expected, "{field}");
    }
    assert_eq!(ext_authz["failure_mode_allow"], policy["failOpen"]);
    assert_eq!(
        ext_authz["http_service"]["path_prefix"],
        policy["http"]["path"]
    );
    assert_eq!(
        ext_authz["http_service"]["server_uri"]["timeout"],
        policy["timeout"]
    );
    let headers = object(&objects, "ClientTrafficPolicy");
    let headers = &headers["spec"]["headers"];
    let removal = &headers["earlyRequestHeaders"]["removeOnMatch"][0];
    assert_eq!(removal["type"], "RegularExpression");
    let regex = "/early_header_mutation_extensions/0/typed_config/mutations/0/remove_on_match/key_matcher/safe_regex/regex";
    assert_eq!(pointer(&generated, regex), removal["value"]);
    assert_eq!(headers["withUnderscoresAction"], "RejectRequest");
}

fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}
