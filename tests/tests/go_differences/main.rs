//! Known differences from Go: `tests/vectors/go-differences.json` lists them with their reasons.
//!
//! Each is tried here, and on a model of what Go does. One that no longer differs fails, as does one that differs in
//! another way than is written.

mod go;
mod here;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use ack_ram_core::access_key::AccessKeyId;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::{AccessKey, sign_token_v2};
use ack_ram_core::time::UnixTime;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    id: String,
    /// What happens in Go and what happens here, in words.
    summary: String,
    /// Why it is so here.
    reason: String,
    input: Input,
    go: Value,
    here: Value,
}

/// What is given to both.
#[derive(Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
enum Input {
    /// A token. The answer: what of it goes to STS, or that it is refused.
    Token(Token),
    /// The body of a request to the webhook. The answer: the HTTP status.
    Review(String),
    /// Patterns of objects, and a canonical ARN. The answer: the patterns that may speak for it.
    Patterns { patterns: Vec<String>, arn: String },
    /// Mappings of the file, and who logs in. The answer: the user.
    Mappings {
        mappings: Vec<Mapping>,
        arn: String,
        #[serde(default)]
        scrubbed_accounts: Vec<String>,
    },
    /// The variables about proxies. The answer: the proxy to STS or to `destination`, `direct`, or why it is refused.
    Proxy {
        https_proxy: String,
        #[serde(default)]
        no_proxy: String,
        destination: Option<String>,
    },
    /// A configuration file. The answer: the usernames that it gives, or that no server starts with it.
    File(String),
    /// The reply of STS. The answer: the HTTP status, and the parts of the reply that it shows.
    Sts(Sts),
}

/// An honest token, changed.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Token {
    /// The whole token instead.
    text: Option<String>,
    /// How long the security token is, if there is one.
    security_token_bytes: usize,
    /// Texts in the JSON and what stands there instead. A character is a byte.
    replace: Vec<(String, String)>,
    /// What stands before the last character of the base64.
    infix: String,
    /// Whether the server takes tokens v1.
    accept_v1: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mapping {
    arn: String,
    username: String,
    #[serde(default)]
    groups: Vec<String>,
}

#[derive(Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
enum Sts {
    Unreachable,
    Error {
        status: u16,
        code: String,
        message: String,
        request_id: String,
    },
}

impl Sts {
    /// The body of the answer, where there is one.
    fn body(&self) -> String {
        match self {
            Self::Unreachable => String::new(),
            Self::Error {
                code,
                message,
                request_id,
                ..
            } => json!({ "Code": code, "Message": message, "RequestId": request_id }).to_string(),
        }
    }
}

#[test]
fn differences_from_go_match_the_table() {
    let differences: Vec<Difference> =
        serde_json::from_str(include_str!("../../vectors/go-differences.json")).unwrap();
    let ids: BTreeSet<&str> = differences
        .iter()
        .map(|difference| &*difference.id)
        .collect();
    assert!(ids.len() >= 20);
    assert_eq!(ids.len(), differences.len(), "an id is there twice");
    for difference in &differences {
        check(difference);
    }
}

fn check(difference: &Difference) {
    let Difference {
        id,
        summary,
        reason,
        input,
        go,
        here,
    } = difference;
    assert!(!summary.is_empty() && !reason.is_empty(), "{id}: say why");
    assert_eq!(go::answer(input), *go, "{id}: Go, {summary}");
    assert_eq!(here::answer(input), *here, "{id}: here, {summary}");
    assert_ne!(go, here, "{id}: there is no difference");
}

const CLUSTER_ID: &str = "c1";
const NOW: UnixTime = UnixTime::from_seconds(1_767_323_045);

impl Token {
    fn make(&self) -> String {
        if let Some(text) = &self.text {
            return text.clone();
        }
        let security_token = "t".repeat(self.security_token_bytes);
        let key = AccessKey {
            id: AccessKeyId::parse("LTAI5tFakeAccessKeyId001").unwrap(),
            secret: Secret::new("FakeSecret"),
            security_token: (!security_token.is_empty()).then(|| Secret::new(security_token)),
        };
        let cluster = ClusterId::parse(CLUSTER_ID).unwrap();
        let honest = sign_token_v2(&key, &cluster, "kubectl", NOW).unwrap();
        let (prefix, payload) = honest.expose().split_once('.').unwrap();
        let mut json = String::from_utf8(STANDARD.decode(payload).unwrap()).unwrap();
        for (from, to) in &self.replace {
            assert!(json.contains(from), "no `{from}` in {json}");
            json = json.replacen(from, to, 1);
        }
        let bytes: Vec<u8> = json.chars().map(|c| u8::try_from(c).unwrap()).collect();
        let mut payload = STANDARD.encode(bytes);
        payload.insert_str(payload.len() - 1, &self.infix);
        format!("{prefix}.{payload}")
    }
}
