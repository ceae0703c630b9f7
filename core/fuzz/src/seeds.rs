//! The seeds of the targets, taken from the test vectors.

use std::path::PathBuf;
use std::{env, fs};

use ack_ram_core::rules::MappingField;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::rules::line_fields;

const LOGINS: &str = include_str!("../../../tests/vectors/logins.json");
const STS_ERRORS: &str = include_str!("../../../tests/vectors/sts-errors.json");
const TOKENS: &str = include_str!("../../../tests/vectors/tokens.json");
const PROXIES: &str = include_str!("../../../tests/vectors/proxy.json");
const EXPRESSIONS: &str = include_str!("../../../tests/vectors/cel.json");
const CONFIGURATIONS: [&str; 4] = [
    include_str!("../configurations/as-for-go.yaml"),
    include_str!("../configurations/minimal.yaml"),
    include_str!("../configurations/mistakes.yaml"),
    include_str!("../configurations/rules.yaml"),
];
const REVIEW: &str = r#"{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","metadata":{"creationTimestamp":null},"spec":{"token":"k8s-ack-v2.e30=","audiences":["https://kubernetes.default.svc"]},"status":{"user":{}}}"#;

/// Writes the seeds of `target` to the folder `ACK_RAM_FUZZ_SEEDS`, if that variable is set.
///
/// # Panics
/// The seeds cannot be written.
pub fn write_seeds(target: &str) {
    let Some(folder) = env::var_os("ACK_RAM_FUZZ_SEEDS").map(PathBuf::from) else {
        return;
    };
    fs::create_dir_all(&folder).unwrap();
    for (number, seed) in seeds(target).iter().enumerate() {
        fs::write(folder.join(format!("seed-{number}")), seed).unwrap();
    }
}

fn seeds(target: &str) -> Vec<String> {
    match target {
        "token" => tokens(),
        "sts_reply" => replies(),
        "token_review" => reviews(),
        "rules" => mappings().chain(expressions()).collect(),
        "configuration" => CONFIGURATIONS.map(str::to_owned).into(),
        "edits" => edits(),
        "proxy" => proxies(),
        other => panic!("unknown target `{other}`"),
    }
}

/// Returns each value for which the result of Go is known.
fn proxies() -> Vec<String> {
    let answers: Value = serde_json::from_str(PROXIES).unwrap();
    let values = |list: &str| -> Vec<String> {
        let cases = answers[list].as_array().unwrap().iter();
        cases
            .map(|case| case["value"].as_str().unwrap().to_owned())
            .collect()
    };
    let hosts: Vec<&str> = ["destinations", "alwaysDirect"]
        .iter()
        .flat_map(|list| answers[*list].as_array().unwrap())
        .map(|host| host.as_str().unwrap())
        .collect();
    let urls = values("httpsProxy")
        .into_iter()
        .map(|url| format!("{url}\u{1e}\u{1e}"));
    let lists = values("noProxy").into_iter().zip(hosts.iter().cycle());
    urls.chain(lists.map(|(list, host)| format!("proxy:1\u{1e}{list}\u{1e}{host}")))
        .collect()
}

fn tokens() -> Vec<String> {
    let cases = cases(TOKENS).into_iter();
    let seeds = cases.filter_map(|case| match (&case["json"], &case["token"]) {
        (Value::String(json), _) => Some(format!("2:{json}")),
        (_, Value::String(token)) => Some(from_token(token)),
        _ => None,
    });
    seeds.collect()
}

/// Returns the decoded payload of a token v1: base64 is opaque to a fuzzer, so the payload is the better seed.
fn from_token(token: &str) -> String {
    let payload = token.strip_prefix("k8s-ack-v1.");
    let decoded = payload.and_then(|text| {
        let url = STANDARD.decode(text).ok()?;
        String::from_utf8(url).ok()
    });
    decoded.map_or_else(|| token.to_owned(), |url| format!("1:{url}"))
}

fn replies() -> Vec<String> {
    let logins = cases(LOGINS).into_iter();
    let replies = logins.map(|case| case["login"]["sts"]["response"].clone());
    let replies = replies.chain(cases(STS_ERRORS));
    let seeds = replies
        .filter_map(|reply| Some(format!("{}\n{}", reply["status"], reply["body"].as_str()?)));
    seeds.collect()
}

fn reviews() -> Vec<String> {
    let beta = REVIEW.replace("io/v1", "io/v1beta1");
    let status = r#"{"kind":"Status","apiVersion":"v1","code":400}"#.to_owned();
    vec![
        REVIEW.to_owned(),
        beta,
        status,
        REVIEW.replace("TokenReview", "\\u0054okenReview"),
    ]
}

/// Returns the mappings of all logins, in the format of [`crate::rules`].
fn mappings() -> impl Iterator<Item = String> {
    let mappings = cases(LOGINS).into_iter().flat_map(|case| {
        let reply = case["login"]["sts"]["response"]["body"]
            .as_str()
            .unwrap_or_default();
        let reply: Value = serde_json::from_str(reply).unwrap_or_default();
        let arn = reply["Arn"].as_str().unwrap_or_default().to_owned();
        let backends = case["login"]["backends"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let mappings = backends
            .into_iter()
            .filter_map(|backend| backend["mappings"].as_array().cloned())
            .flatten();
        mappings
            .map(move |mapping| (arn.clone(), mapping))
            .collect::<Vec<_>>()
    });
    mappings.map(|(arn, mapping)| {
        let mut lines = vec![arn];
        lines.extend(line_names().map(|name| {
            let value = &mapping[name];
            let text = value.as_str().or_else(|| value[0].as_str());
            text.unwrap_or_default().to_owned()
        }));
        let groups = mapping["groups"].as_array().into_iter().flatten();
        lines.extend(groups.filter_map(|group| group.as_str().map(str::to_owned)));
        lines.join("\n")
    })
}

/// Returns the names of the lines before the groups.
fn line_names() -> impl Iterator<Item = &'static str> {
    line_fields().map(MappingField::name).chain(["validation"])
}

/// Returns a mapping for each expression, with the expression in the field of its kind.
fn expressions() -> impl Iterator<Item = String> {
    cases(EXPRESSIONS).into_iter().filter_map(|case| {
        let source = case["expression"]
            .as_str()
            .filter(|source| !source.contains('\n'))?;
        let field = match case["kind"].as_str()? {
            "condition" => "match",
            "username" => "usernameExpression",
            "groups" => "groupsExpression",
            _ => "validation",
        };
        let lines = line_names().map(|name| match name {
            _ if name == field => source,
            "arnPattern" => "acs:ram::1234567890123456:**",
            "username" if field != "usernameExpression" => "dev:{{SessionName}}",
            _ => "",
        });
        let lines: Vec<&str> = lines.collect();
        let arn = "acs:ram::1234567890123456:assumed-role/Dev-Admins/alice@example.com";
        Some(format!("{arn}\n{}\ndev", lines.join("\n")))
    })
}

/// Returns sequences of a valid document and two edits of it.
fn edits() -> Vec<String> {
    const GOOD: &str = r#"{"mapUsers": [{"userARN": "acs:ram::1:user/alice", "username": "people:alice", "groups": ["ops", "dev"]},
{"userARN": "acs:ram::1:user/b*", "username": "people:b", "groups": ["dev"]}], "mapAccounts": ["77"]}"#;
    let edits = [
        ("", ""),
        ("acs:ram::1:user/alice", "acs:ram:1:user/alice"),
        ("acs:ram::1:user/alice", "acs:ram::1:usr/alice"),
        ("acs:ram::1:user/alice", "DISABLED-acs:ram::1:user/alice"),
        ("acs:ram::1:user/b*", "acs:ram:1:user/b*"),
        ("\"ops\", ", ""),
        ("\"ops\"", "\"{{No}}\""),
        ("people:alice", "people:{{"),
        ("people:alice", "people:alic{"),
        ("userARN", "uesrARN"),
        ("mapUsers", "mapUser"),
        ("mapUsers", "_mapUsers"),
        ("[\"77\"]", "77"),
        ("}]", "}"),
        (
            "\"groups\": [\"ops\", \"dev\"]",
            "\"groups\": \"dev, {{No}}\"",
        ),
        (
            "\"username\": \"people:alice\"",
            "\"match\": \"true\", \"username\": \"\"",
        ),
    ];
    let mut seeds = Vec::new();
    for (from, to) in edits {
        let once = GOOD.replacen(from, to, usize::from(!from.is_empty()));
        for (other, then) in [
            ("\"dev\"", "\"{{\""),
            ("acs:ram::", "acs:ram:"),
            ("{", "{{"),
        ] {
            let twice = once.replacen(other, then, 1);
            seeds.push([GOOD, &once, &twice].join("\n=====\n"));
        }
    }
    seeds
}

fn cases(vectors: &str) -> Vec<Value> {
    let mut vectors: Value = serde_json::from_str(vectors).unwrap();
    match vectors["cases"].take() {
        Value::Array(cases) => cases,
        other => panic!("`cases` is {other}"),
    }
}
