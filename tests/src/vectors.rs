//! `tests/vectors/tokens.json` and `tests/vectors/logins.json`, read for the tests that run them.

use std::collections::{BTreeMap, BTreeSet};

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::policy::TokenPolicy;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The tokens of `tokens.json`, good and hostile.
///
/// # Panics
/// When the file has another form.
pub fn tokens() -> Tokens {
    let tokens: Tokens =
        serde_json::from_str(include_str!("../vectors/tokens.json")).expect("tokens.json");
    assert!(tokens.cases.len() >= 310, "tokens.json has lost cases");
    tokens
}

/// The logins of `logins.json`, each with its defaults.
///
/// # Panics
/// When the file has another form.
pub fn logins() -> Vec<LoginCase> {
    let Logins { defaults, cases } =
        serde_json::from_str(include_str!("../vectors/logins.json")).expect("logins.json");
    assert!(cases.len() >= 310, "logins.json has lost cases");
    let with_defaults = |case: LoginCase| LoginCase {
        login: defaults.clone().into_iter().chain(case.login).collect(),
        ..case
    };
    cases.into_iter().map(with_defaults).collect()
}

/// `tokens.json`.
#[derive(Deserialize)]
pub struct Tokens {
    /// The cluster that takes the tokens.
    pub cluster_id: String,
    /// What becomes of each.
    pub cases: Vec<TokenCase>,
}

/// A token, and what becomes of it.
#[derive(Deserialize)]
pub struct TokenCase {
    /// What it is about.
    pub name: String,
    /// The JSON inside a token v2, or else the whole token.
    json: Option<String>,
    token: Option<String>,
    /// When it is looked at.
    pub now: String,
    /// What the policy lets through beyond the default.
    #[serde(default)]
    pub accept_v1: bool,
    /// The same.
    #[serde(default)]
    pub extra_query_keys: BTreeSet<String>,
    /// The code of the decision, or else `request`.
    pub code: Option<String>,
    /// What goes to STS.
    pub request: Option<SentRequest>,
    /// The public message, `REF` for the reference.
    pub message: Option<String>,
}

/// A request that goes to STS.
#[derive(Debug, Deserialize, PartialEq)]
pub struct SentRequest {
    /// The HTTP method.
    pub method: String,
    /// Path and query.
    pub path_and_query: String,
    /// The headers.
    pub headers: BTreeMap<String, String>,
}

impl Tokens {
    /// What the server of `case` takes.
    ///
    /// # Panics
    /// When the cluster id is none.
    pub fn policy(&self, case: &TokenCase) -> TokenPolicy {
        let cluster_id = ClusterId::parse(&self.cluster_id).expect("a cluster id");
        TokenPolicy {
            accept_v1: case.accept_v1,
            extra_query_keys: case.extra_query_keys.clone(),
            ..TokenPolicy::new(cluster_id)
        }
    }
}

impl TokenCase {
    /// The token.
    ///
    /// # Panics
    /// When the case gives none, or two.
    pub fn token(&self) -> String {
        match (&self.json, &self.token) {
            (Some(json), None) => format!("k8s-ack-v2.{}", STANDARD.encode(json)),
            (None, Some(token)) => token.clone(),
            _ => panic!("{}: give `json` or `token`", self.name),
        }
    }
}

#[derive(Deserialize)]
struct Logins {
    /// Members of every login that does not have its own.
    defaults: Map<String, Value>,
    cases: Vec<LoginCase>,
}

/// A login, and what becomes of it.
#[derive(Deserialize)]
pub struct LoginCase {
    /// What it is about.
    pub name: String,
    /// As `ack_ram_core_wasm::run` takes it.
    pub login: Map<String, Value>,
    /// The code of the decision.
    pub code: String,
    /// The HTTP status of the answer.
    #[serde(default = "ok")]
    pub status: u16,
    /// `status.user` of a grant.
    pub user: Option<Value>,
    /// The position of the rule that matched.
    pub matched: Option<String>,
    /// What else the explanation says.
    pub explanation: Option<ExpectedExplanation>,
    /// `status.error` of a denial or `message` of an error, `REF` for the reference.
    pub error: Option<String>,
}

/// Rules by position, and differences by name.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ExpectedExplanation {
    /// Rules that would match, too.
    pub outranked: Option<Vec<String>>,
    /// Rules whose condition does not hold.
    pub passed_over: Option<Vec<String>>,
    /// How rules differ that nearly match.
    pub near_misses: Option<Vec<String>>,
    /// Whether nothing is told of the identity.
    pub scrubbed: bool,
}

fn ok() -> u16 {
    200
}
