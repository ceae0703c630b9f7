//! Tokens, good and hostile: `tests/vectors/tokens.json` says what becomes of each.

use std::collections::{BTreeMap, BTreeSet};

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::login::{Step, begin};
use ack_ram_core::policy::Policy;
use ack_ram_core::time::UnixTime;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    cluster_id: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    /// The JSON inside a token v2, or else the whole token.
    json: Option<String>,
    token: Option<String>,
    now: String,
    /// What the policy lets through beyond the default.
    #[serde(default)]
    accept_v1: bool,
    #[serde(default)]
    extra_query_keys: BTreeSet<String>,
    /// The code of the decision, or else the request that goes to STS.
    code: Option<String>,
    request: Option<Request>,
    /// The public message, `REF` for the fingerprint.
    message: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Request {
    method: String,
    path_and_query: String,
    headers: BTreeMap<String, String>,
}

impl Case {
    fn token(&self) -> String {
        match (&self.json, &self.token) {
            (Some(json), None) => format!("k8s-ack-v2.{}", STANDARD.encode(json)),
            (None, Some(token)) => token.clone(),
            _ => panic!("{}: give `json` or `token`", self.name),
        }
    }
}

#[test]
fn every_token_meets_its_decision_or_becomes_its_request() {
    let vectors: Vectors = serde_json::from_str(include_str!("../vectors/tokens.json")).unwrap();
    let policy = Policy::new(ClusterId::parse(&vectors.cluster_id).unwrap());
    assert!(vectors.cases.len() >= 250);
    for case in &vectors.cases {
        check(case, &policy);
    }
}

fn check(case: &Case, policy: &Policy) {
    let name = &case.name;
    let token = case.token();
    let now = UnixTime::parse(&case.now).unwrap();
    let policy = Policy {
        accept_v1: case.accept_v1,
        extra_query_keys: case.extra_query_keys.clone(),
        ..policy.clone()
    };
    match begin(&token, &policy, now) {
        Step::Send(awaiting) => {
            let sent = awaiting.request();
            let request = Request {
                method: sent.method().to_owned(),
                path_and_query: sent.path_and_query().expose().to_owned(),
                headers: sent
                    .headers()
                    .map(|(name, value)| (name.to_owned(), value.expose().to_owned()))
                    .collect(),
            };
            assert_eq!(Some(&request), case.request.as_ref(), "{name}");
            assert_eq!(awaiting.fingerprint(), Fingerprint::of(&token), "{name}");
        }
        Step::Done(decision) => {
            assert_eq!(Some(decision.code()), case.code.as_deref(), "{name}");
            let message = decision.public_message();
            if let Some(expected) = &case.message {
                let expected = expected.replace("REF", &Fingerprint::of(&token).to_string());
                assert_eq!(message.as_ref(), Some(&expected), "{name}");
            }
            let told = format!("{message:?} {decision:?}");
            for secret in ["3c383615ea763091", "rd6GHZQn", "CAIS"] {
                assert!(!told.contains(secret), "{name}: a secret was told: {told}");
            }
        }
    }
}

#[test]
fn the_limit_is_on_the_whole_token() {
    let policy = Policy::new(ClusterId::parse("c1").unwrap());
    let now = UnixTime::from_seconds(0);
    for (bytes, code) in [
        (16 * 1024, "token_base64"),
        (16 * 1024 + 1, "token_too_large"),
    ] {
        let token = format!("{:-<bytes$}", "k8s-ack-v2.");
        let Step::Done(decision) = begin(&token, &policy, now) else {
            panic!("taken");
        };
        assert_eq!(decision.code(), code);
    }
}
