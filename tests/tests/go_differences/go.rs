//! A model of Go's behavior, limited to the differences. It was derived from Go's code and checked by running Go
//! against an STS that verifies signatures.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Value, json};

use crate::{Input, Mapping, Sts, client};

/// The names of headers and query keys that Go forwards to STS. The list applies to both.
const FORWARDED: [&str; 9] = [
    "ackclusterid",
    "authorization",
    "x-acs-action",
    "x-acs-content-sha256",
    "x-acs-content-sm3",
    "x-acs-date",
    "x-acs-security-token",
    "x-acs-signature-nonce",
    "x-acs-version",
];

pub fn answer(input: &Input) -> Value {
    match input {
        Input::Token(token) => build_sts_request(&token.build()).unwrap_or_else(|| json!("denied")),
        Input::Review(body) => reviewed(body),
        Input::Patterns { patterns, arn } => matching_patterns(patterns, arn),
        // Go never reads `scrubbedAccounts`.
        Input::Mappings { mappings, arn, .. } => mapped(mappings, arn),
        Input::Proxy {
            https_proxy,
            no_proxy,
            destination,
        } => proxy(https_proxy, no_proxy, destination.as_deref()),
        Input::File(text) => usernames(text),
        Input::Sts(reply) => describe_sts_failure(reply),
        Input::Client(client) => client::go::answer(client),
        Input::ClientToken(case) => client::go::tokens(case),
    }
}

/// Returns the recorded answer of Go.
fn proxy(https_proxy: &str, no_proxy: &str, destination: Option<&str>) -> Value {
    let answers: Value = serde_json::from_str(include_str!("../../vectors/proxy.json")).unwrap();
    let answer = |list: &str, value: &str| {
        let cases = answers[list].as_array().unwrap();
        let case = cases.iter().find(|case| case["value"] == value);
        case.unwrap_or_else(|| panic!("no recorded answer of Go for {value:?}"))
            .clone()
    };
    let holds = |list: &Value| {
        let list = list.as_array().unwrap();
        list.iter()
            .any(|host| Some(host.as_str().unwrap()) == destination)
    };
    if holds(&answer("noProxy", no_proxy)["direct"]) || holds(&answers["alwaysDirect"]) {
        return json!("direct");
    }
    match &answer("httpsProxy", https_proxy)["go"] {
        Value::Null => Value::Null,
        go => {
            let part = |name: &str| go[name].as_str().unwrap().to_owned();
            json!(format!("{}:{}", part("host"), part("port")))
        }
    }
}

/// Returns the usernames. `yaml.v3` rejects a map as a key, an alias without an anchor, and malformed YAML. The server
/// does not start then.
fn usernames(text: &str) -> Value {
    let Ok(file) = serde_saphyr::from_str::<Value>(text) else {
        return json!("does not start");
    };
    let users = file["server"]["mapUsers"].as_array();
    let users = users.map(Vec::as_slice).unwrap_or_default().iter();
    json!(users.map(|user| &user["username"]).collect::<Vec<_>>())
}

/// Returns the headers and query keys that go to STS, including the user agent of the token.
fn build_sts_request(token: &str) -> Option<Value> {
    const MAX_BYTES: usize = 4096;
    if token.len() > MAX_BYTES {
        return None;
    }
    // The decoder skips line breaks, and invalid UTF-8 becomes replacement characters.
    let payload = token.strip_prefix("k8s-ack-v2.")?.replace(['\r', '\n'], "");
    let json = STANDARD.decode(payload).ok()?;
    let members: Members = serde_json::from_str(&String::from_utf8_lossy(&json)).ok()?;
    let query = members.last("query")?.as_object()?;
    let headers = members.last("headers")?.as_object()?;
    let is_forwarded = |name: &&String| FORWARDED.contains(&&*name.to_ascii_lowercase());
    let query: Vec<&String> = query.keys().filter(is_forwarded).collect();
    let mut headers: BTreeSet<String> = headers
        .keys()
        .filter(is_forwarded)
        .map(|name| name.to_ascii_lowercase())
        .collect();
    headers.extend(["accept", "user-agent"].map(str::to_owned));
    Some(json!({ "query": query, "headers": headers }))
}

/// The members of an object, as `encoding/json` reads them into a struct.
struct Members(Vec<(String, Value)>);

impl Members {
    /// Returns the last member with this name, ignoring case.
    fn last(&self, name: &str) -> Option<&Value> {
        let mut found = self
            .0
            .iter()
            .filter(|(own, _)| own.eq_ignore_ascii_case(name));
        found.next_back().map(|(_, value)| value)
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// Returns the status: any object is a review, and a review without a token is denied.
fn reviewed(body: &str) -> Value {
    let is_object = serde_json::from_str::<Members>(body).is_ok();
    json!(if is_object { 200 } else { 400 })
}

/// Returns the patterns that may match. A pattern is a regular expression that matches anywhere, and the order of a map
/// decides between several.
fn matching_patterns(patterns: &[String], arn: &str) -> Value {
    let arn = arn.to_ascii_lowercase();
    let matches = |pattern: &&String| {
        let pattern = pattern.to_ascii_lowercase();
        // RE2 rejects a repeated repetition.
        let is_regex = !pattern.contains("**");
        is_regex && Regex::new(&pattern).is_ok_and(|regex| regex.is_match(&arn))
    };
    json!(patterns.iter().filter(matches).collect::<Vec<_>>())
}

/// Returns the user of `arn`. The last mapping of an ARN counts, and three variables are replaced everywhere.
fn mapped(mappings: &[Mapping], arn: &str) -> Value {
    let (_, account_and_name) = arn.split_once("acs:ram::").unwrap();
    let (account, resource) = account_and_name.split_once(':').unwrap();
    let (canonical, session) = match resource.strip_prefix("assumed-role/") {
        Some(rest) => {
            let (role, session) = rest.rsplit_once('/').unwrap();
            (format!("acs:ram::{account}:role/{role}"), session)
        }
        None => (arn.to_owned(), ""),
    };
    let by_arn: BTreeMap<String, &Mapping> = mappings
        .iter()
        .map(|mapping| (mapping.arn.to_ascii_lowercase(), mapping))
        .collect();
    let Some(mapping) = by_arn.get(&canonical.to_ascii_lowercase()) else {
        return json!("no user");
    };
    let render = |template: &String| {
        template
            .replace("{{AccountID}}", account)
            .replace("{{SessionName}}", &session.replace('@', "-"))
            .replace("{{SessionNameRaw}}", session)
    };
    json!({
        "username": render(&mapping.username),
        "groups": mapping.groups.iter().map(render).collect::<Vec<_>>(),
        "uid": format!("ack-ram-authenticator:{account}:200000000000000001"),
        "extra": ["arn", "canonicalArn", "sessionName"],
    })
}

/// Returns the answer to a failure of STS, which is always a denial. Known errors are forwarded completely, and others
/// not at all.
fn describe_sts_failure(reply: &Sts) -> Value {
    const KNOWN_CODES: [&str; 8] = [
        "InvalidTimeStamp.Expired",
        "SignatureNonceUsed",
        "SignatureDoesNotMatch",
        "MissingSecurityToken",
        "ContentMD5NotMatched",
        "InvalidAccessKeyId.",
        "InvalidSecurityToken.",
        "Throttling.",
    ];
    let forwarded: &[&str] = match reply {
        Sts::Error { code, .. } if KNOWN_CODES.iter().any(|known| code.starts_with(known)) => {
            &["code", "message", "requestId"]
        }
        Sts::Error { .. } | Sts::Unreachable => &[],
    };
    json!({ "status": 200, "forwarded": forwarded })
}
