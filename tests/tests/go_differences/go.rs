//! What Go does, as far as the differences need it: read off its code, and checked by running it against an STS that
//! verifies signatures.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Value, json};

use crate::{Input, Mapping, Sts};

/// The names of headers and query keys that are sent on; the list is one for both.
const SENT_ON: [&str; 9] = [
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
        Input::Token(token) => build_sts_request(&token.make()).unwrap_or_else(|| json!("denied")),
        Input::Review(body) => reviewed(body),
        Input::Patterns { patterns, arn } => may_speak(patterns, arn),
        // `scrubbedAccounts` is never read.
        Input::Mappings { mappings, arn, .. } => mapped(mappings, arn),
        Input::Proxy {
            https_proxy,
            no_proxy,
            destination,
        } => proxy(https_proxy, no_proxy, destination.as_deref()),
        Input::File(text) => usernames(text),
        Input::Sts(reply) => describe_sts_failure(reply),
    }
}

/// As Go itself has answered.
fn proxy(https_proxy: &str, no_proxy: &str, destination: Option<&str>) -> Value {
    let answers: Value = serde_json::from_str(include_str!("../../vectors/proxy.json")).unwrap();
    let answer = |list: &str, value: &str| {
        let cases = answers[list].as_array().unwrap();
        let case = cases.iter().find(|case| case["value"] == value);
        case.unwrap_or_else(|| panic!("no answer of Go for {value:?}"))
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

/// `yaml.v3` refuses a map as a key, an alias of nothing, and what is no YAML; the server does not start then.
fn usernames(text: &str) -> Value {
    let Ok(file) = serde_saphyr::from_str::<Value>(text) else {
        return json!("does not start");
    };
    let users = file["server"]["mapUsers"].as_array();
    let users = users.map(Vec::as_slice).unwrap_or_default().iter();
    json!(users.map(|user| &user["username"]).collect::<Vec<_>>())
}

/// What goes to STS, the token's user agent among it.
fn build_sts_request(token: &str) -> Option<Value> {
    const MAX_BYTES: usize = 4096;
    if token.len() > MAX_BYTES {
        return None;
    }
    // The decoder skips line breaks, and bytes that are no UTF-8 become replacement characters.
    let payload = token.strip_prefix("k8s-ack-v2.")?.replace(['\r', '\n'], "");
    let json = STANDARD.decode(payload).ok()?;
    let members: Members = serde_json::from_str(&String::from_utf8_lossy(&json)).ok()?;
    let query = members.last("query")?.as_object()?;
    let headers = members.last("headers")?.as_object()?;
    let sent_on = |name: &&String| SENT_ON.contains(&&*name.to_ascii_lowercase());
    let query: Vec<&String> = query.keys().filter(sent_on).collect();
    let mut headers: BTreeSet<String> = headers
        .keys()
        .filter(sent_on)
        .map(|name| name.to_ascii_lowercase())
        .collect();
    headers.extend(["accept", "user-agent"].map(str::to_owned));
    Some(json!({ "query": query, "headers": headers }))
}

/// The members of an object, as `encoding/json` reads them into a struct.
struct Members(Vec<(String, Value)>);

impl Members {
    /// Case does not matter, and the last one counts.
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

/// Any object is a review; one without a token is denied.
fn reviewed(body: &str) -> Value {
    let is_object = serde_json::from_str::<Members>(body).is_ok();
    json!(if is_object { 200 } else { 400 })
}

/// A pattern is a regular expression that may match anywhere. With several, the order of a map decides.
fn may_speak(patterns: &[String], arn: &str) -> Value {
    let arn = arn.to_ascii_lowercase();
    let matches = |pattern: &&String| {
        let pattern = pattern.to_ascii_lowercase();
        // RE2 refuses what repeats a repetition.
        let is_regex = !pattern.contains("**");
        is_regex && Regex::new(&pattern).is_ok_and(|regex| regex.is_match(&arn))
    };
    json!(patterns.iter().filter(matches).collect::<Vec<_>>())
}

/// Of several mappings of one ARN the last counts; three variables are replaced wherever they stand.
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

/// Go denies the caller if STS gives no identity. It shows all parts of known errors, and no part of other errors.
fn describe_sts_failure(reply: &Sts) -> Value {
    const SHOWN_CODES: [&str; 8] = [
        "InvalidTimeStamp.Expired",
        "SignatureNonceUsed",
        "SignatureDoesNotMatch",
        "MissingSecurityToken",
        "ContentMD5NotMatched",
        "InvalidAccessKeyId.",
        "InvalidSecurityToken.",
        "Throttling.",
    ];
    let shown: &[&str] = match reply {
        Sts::Error { code, .. } if SHOWN_CODES.iter().any(|known| code.starts_with(known)) => {
            &["code", "message", "requestId"]
        }
        Sts::Error { .. } | Sts::Unreachable => &[],
    };
    json!({ "status": 200, "shown": shown })
}
