//! The settings and configurations in `deploy/ext-authz.md`.

use std::fs;
use std::path::Path;

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::gateway::{IdentityHeaders, contains_token};
use ack_ram_core::sign;
use ack_ram_core::time::UnixTime;
use ack_ram_tests::callers::CLUSTER;
use ack_ram_tests::sts::demo;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use regex::Regex;
use serde_json::Value;

use crate::fixture::{bearer_of_alice, check_refusal, send_request, start};

/// Returns the code blocks of `deploy/ext-authz.md` in this language.
pub(crate) fn documented(language: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/ext-authz.md");
    let text = fs::read_to_string(path).unwrap();
    let start = format!("```{language}\n");
    let blocks = text.split(&start).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn documented_settings_are_accepted() {
    let yaml = documented("yaml");
    let settings: Value = serde_saphyr::from_str(&yaml[0]).unwrap();
    let fixture = start(&settings["server"]["extAuthz"]);
    let headers = [("authorization", &*bearer_of_alice(&fixture))];
    let reply = send_request(&fixture, Method::GET, "/ext-authz", &headers).await;
    let detail = "not in any of the required groups";
    check_refusal("alice", &reply, 403, "insufficient_scope", detail);
}

#[test]
fn documented_proxies_remove_identity_headers() {
    let yaml = documented("yaml");
    let parts: Vec<Value> = yaml
        .iter()
        .map(|block| serde_saphyr::from_str(block).unwrap())
        .collect();
    let envoy = &parts[1];
    let expressions = [
        "/early_header_mutation_extensions/0/typed_config/mutations/0/remove_on_match/key_matcher/safe_regex/regex",
        "/http_filters/1/typed_config/allowed_headers/patterns/1/safe_regex/regex",
    ]
    .map(|pointer| envoy.pointer(pointer).unwrap().as_str().unwrap());
    let traefik = "/http/middlewares/ram/forwardAuth/authResponseHeadersRegex";
    let traefik = parts[3].pointer(traefik).unwrap().as_str().unwrap();
    // Envoy compares the complete name in lower case.
    let anchored = expressions.map(|expression| format!("^(?:{expression})$"));
    let removed = anchored.iter().map(String::as_str).chain([traefik]);
    let removed: Vec<_> = removed
        .map(|expression| Regex::new(expression).unwrap())
        .collect();
    let identity = IdentityHeaders::default();
    for name in [
        IdentityHeaders::USER,
        IdentityHeaders::GROUP,
        IdentityHeaders::UID,
        "x_remote_user",
        "x.remote.group",
        "x~remote-uid",
        "x-remote-extra-",
        "x-remote-extra-arn",
        "x_remote_extra.scopes",
        "x-remote-users",
        "x-remote-extra",
        "x-remote",
        "ax-remote-user",
        "authorization",
    ] {
        let is_ours = identity.is_identity_header(name);
        for expression in &removed {
            assert_eq!(expression.is_match(name), is_ours, "{expression}: {name}");
        }
    }

    let nginx = &documented("nginx")[0];
    let set = Regex::new(r"auth_request_set (\$\w+) \$upstream_http_(\w+);").unwrap();
    let forwarded: Vec<_> = set
        .captures_iter(nginx)
        .map(|set| (set[1].to_owned(), set[2].replace('_', "-")))
        .collect();
    let (forwarded, others): (Vec<_>, Vec<_>) = forwarded
        .into_iter()
        .partition(|(_, name)| name.starts_with("x-"));
    let others: Vec<&str> = others.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(others, ["retry-after"]);
    let names: Vec<&str> = forwarded.iter().map(|(_, name)| name.as_str()).collect();
    let all = [
        IdentityHeaders::USER,
        IdentityHeaders::GROUP,
        IdentityHeaders::UID,
    ];
    assert_eq!(names, all);
    let nginx = nginx.to_ascii_lowercase();
    for (variable, name) in &forwarded {
        let line = format!("proxy_set_header {name} {variable};");
        assert!(nginx.contains(&line), "{line}");
    }
}

#[test]
fn documented_proxies_reject_cookie_with_token() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/ext-authz.md");
    let text = fs::read_to_string(path).unwrap();
    let nginx = Regex::new(r#""~(\S+)" \$http_cookie;"#).unwrap();
    let traefik = Regex::new(r"HeaderRegexp\(`Cookie`, `(\S+)`\)").unwrap();
    let key = demo::user_key();
    let cluster = ClusterId::parse(CLUSTER).unwrap();
    let token = sign::sign_token_v2(&key, &cluster, "test", UnixTime::from_seconds(0)).unwrap();
    let token = token.expose();
    for proxy in [nginx, traefik] {
        let expression = &proxy.captures(&text).unwrap()[1];
        let finds = Regex::new(expression).unwrap();
        for token in [token.to_owned(), token.replace("k8s-ack-v2", "k8s-ack-v1")] {
            for before in ["", "a", "ab", "abc"] {
                let value = format!("{before}{token}");
                for value in [STANDARD.encode(&value), value] {
                    let cookie = format!("theme=dark; token={value}");
                    assert!(contains_token(cookie.as_bytes()));
                    assert!(finds.is_match(&cookie), "{expression}: {cookie}");
                }
            }
        }
        assert!(!finds.is_match("theme=dark; session=0123456789abcdef"));
    }
}
