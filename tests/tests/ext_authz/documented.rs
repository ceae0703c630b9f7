//! What `deploy/ext-authz.md` tells people to write.

use std::fs;
use std::path::Path;

use ack_ram_core::gateway::IdentityHeaders;
use hyper::Method;
use regex::Regex;
use serde_json::Value;

use crate::world::{World, check_refusal};

/// The blocks of `deploy/ext-authz.md` in this language.
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
async fn the_documented_settings_are_taken() {
    let yaml = documented("yaml");
    let settings: Value = serde_saphyr::from_str(&yaml[0]).unwrap();
    let world = World::start(&settings["server"]["extAuthz"]);
    let headers = [("authorization", &*world.alice())];
    let reply = world.ask(Method::GET, "/ext-authz", &headers).await;
    let detail = "in none of the groups that may come here";
    check_refusal("alice", &reply, 403, "insufficient_scope", detail);
}

#[test]
fn the_documented_proxies_remove_what_services_could_believe() {
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
    // Envoy compares all of a name, in lower case.
    let whole = expressions.map(|expression| format!("^(?:{expression})$"));
    let removed = whole.iter().map(String::as_str).chain([traefik]);
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
        let is_ours = identity.is_ours(name);
        for expression in &removed {
            assert_eq!(expression.is_match(name), is_ours, "{expression}: {name}");
        }
    }

    let nginx = &documented("nginx")[0];
    let set = Regex::new(r"auth_request_set (\$\w+) \$upstream_http_(\w+);").unwrap();
    let told: Vec<_> = set
        .captures_iter(nginx)
        .map(|set| (set[1].to_owned(), set[2].replace('_', "-")))
        .collect();
    let names: Vec<&str> = told.iter().map(|(_, name)| name.as_str()).collect();
    let all = [
        IdentityHeaders::USER,
        IdentityHeaders::GROUP,
        IdentityHeaders::UID,
    ];
    assert_eq!(names, all);
    let nginx = nginx.to_ascii_lowercase();
    for (variable, name) in &told {
        let line = format!("proxy_set_header {name} {variable};");
        assert!(nginx.contains(&line), "{line}");
    }
}
