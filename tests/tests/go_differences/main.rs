//! Known differences from Go: `tests/vectors/go-differences.json` lists them with their reasons.
//!
//! Each difference is checked in this project and in a model of Go. A difference that no longer exists fails the test,
//! and so does one that differs from its description.

mod client;
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

use client::{Client, ClientToken};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    id: String,
    /// The behavior of Go and of this project, in words.
    summary: String,
    /// The reason for the behavior of this project.
    reason: String,
    input: Input,
    go: Value,
    here: Value,
}

/// The input for both programs.
#[derive(Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
enum Input {
    /// A token. The answer: the headers and query keys that go to STS, or the refusal.
    Token(Token),
    /// The body of a request to the webhook. The answer: the HTTP status.
    Review(String),
    /// Patterns of objects, and a canonical ARN. The answer: the patterns that may match it.
    Patterns { patterns: Vec<String>, arn: String },
    /// Mappings of the file, and the ARN that logs in. The answer: the user.
    Mappings {
        mappings: Vec<Mapping>,
        arn: String,
        #[serde(default)]
        scrubbed_accounts: Vec<String>,
    },
    /// The environment variables about proxies. The answer: the proxy to STS or to `destination`, `direct`, or the
    /// error.
    Proxy {
        https_proxy: String,
        #[serde(default)]
        no_proxy: String,
        destination: Option<String>,
    },
    /// A configuration file. The answer: the usernames in it, or that the server does not start.
    File(String),
    /// A failure of STS. The answer: the HTTP status, and the parts of the error that the answer to the caller has.
    Sts(Sts),
    /// What a client is started with. The answer: what the question asks.
    Client(Client),
    /// Commands with one key. The answer: the number of different tokens, and the end of the first.
    ClientToken(ClientToken),
}

/// A valid token with changes.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Token {
    /// The complete token. The other fields do not apply then.
    text: Option<String>,
    /// The length of the security token, or 0 for none.
    security_token_bytes: usize,
    /// Texts in the JSON and their replacements. A character is a byte.
    replace: Vec<(String, String)>,
    /// Text to insert before the last character of the base64.
    infix: String,
    /// Whether the server accepts tokens v1.
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
    /// Returns the body of the answer, which is empty without an answer.
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
    assert_eq!(ids.len(), differences.len(), "duplicate id");
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
    assert!(
        !summary.is_empty() && !reason.is_empty(),
        "{id}: the reason is missing"
    );
    assert_eq!(go::answer(input), *go, "{id}: Go, {summary}");
    assert_eq!(here::answer(input), *here, "{id}: here, {summary}");
    assert_ne!(go, here, "{id}: there is no difference");
}

const CLUSTER_ID: &str = "c1";
const NOW: UnixTime = UnixTime::from_seconds(1_767_323_045);

impl Token {
    fn build(&self) -> String {
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
        let valid = sign_token_v2(&key, &cluster, "kubectl", NOW).unwrap();
        let (prefix, payload) = valid.expose().split_once('.').unwrap();
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
