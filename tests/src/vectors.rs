//! The test vectors in `tests/vectors/` that several tests use.

mod gateway;

use std::collections::{BTreeMap, BTreeSet};

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::policy::TokenPolicy;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub use gateway::{GatewayCase, GatewayRefusal, gateway};

/// Returns the tokens of `tokens.json`, valid and hostile.
///
/// # Panics
/// If the file is malformed, or has fewer cases than before.
pub fn tokens() -> TokenVectors {
    let tokens: TokenVectors =
        serde_json::from_str(include_str!("../vectors/tokens.json")).expect("tokens.json");
    assert!(tokens.cases.len() >= 310, "tokens.json has lost cases");
    tokens
}

/// Returns the logins of `logins.json` with their defaults, and a login for each error of `sts-errors.json`.
///
/// # Panics
/// If a file is malformed, or has fewer cases than before.
pub fn logins() -> Vec<LoginCase> {
    let LoginVectors { defaults, cases } =
        serde_json::from_str(include_str!("../vectors/logins.json")).expect("logins.json");
    assert!(cases.len() >= 279, "logins.json has lost cases");
    let with_defaults = |case: LoginCase| LoginCase {
        login: defaults.clone().into_iter().chain(case.login).collect(),
        ..case
    };
    let StsErrors {
        backends,
        cases: errors,
    } = read_sts_errors();
    let errors = errors.into_iter().map(|error| error.into_login(&backends));
    cases.into_iter().chain(errors).map(with_defaults).collect()
}

/// Returns the errors of `sts-errors.json`.
///
/// # Panics
/// If the file is malformed, or has fewer cases than before.
pub fn sts_errors() -> Vec<StsErrorCase> {
    read_sts_errors().cases
}

fn read_sts_errors() -> StsErrors {
    let errors = include_str!("../vectors/sts-errors.json");
    let errors: StsErrors = serde_json::from_str(errors).expect("sts-errors.json");
    assert!(errors.cases.len() >= 48, "sts-errors.json has lost cases");
    errors
}

/// Returns the objects of `mapping-objects.json`.
///
/// # Panics
/// If the file is malformed, or has fewer cases than before.
pub fn mapping_objects() -> Vec<MappingObjectCase> {
    let cases = include_str!("../vectors/mapping-objects.json");
    serde_json::from_str(cases).expect("mapping-objects.json")
}

/// A mapping object, and the expected refusals by the API server and the authenticator.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MappingObjectCase {
    /// A description of the object.
    pub what: String,
    /// The `spec` of the object.
    pub spec: Value,
    /// A part of the message with which the API server refuses the object; `None` if it accepts the object.
    pub api_server_refuses: Option<String>,
    /// A part of the message with which the authenticator refuses the object; `None` if it accepts the object.
    pub server_refuses: Option<String>,
}

/// The content of `tokens.json`.
#[derive(Deserialize)]
pub struct TokenVectors {
    /// The ID of the cluster that the tokens are for.
    pub cluster_id: String,
    /// The tokens with their expected results.
    pub cases: Vec<TokenCase>,
}

/// A token, and its expected result.
#[derive(Deserialize)]
pub struct TokenCase {
    /// A description of the case.
    pub name: String,
    /// The JSON inside a token v2, or else the whole token.
    json: Option<String>,
    token: Option<String>,
    /// The time at which the token is checked.
    pub now: String,
    /// Whether the policy accepts tokens of version 1.
    #[serde(default)]
    pub accept_v1: bool,
    /// The additional query keys that the policy accepts.
    #[serde(default)]
    pub extra_query_keys: BTreeSet<String>,
    /// The code of the decision; `None` if the case has a `request`.
    pub code: Option<String>,
    /// The request to STS.
    pub request: Option<SentRequest>,
    /// The public message, with `REF` for the reference.
    pub message: Option<String>,
}

/// A request to STS.
#[derive(Debug, Deserialize, PartialEq)]
pub struct SentRequest {
    /// The HTTP method.
    pub method: String,
    /// The path and the query.
    pub path_and_query: String,
    /// The headers.
    pub headers: BTreeMap<String, String>,
}

impl TokenVectors {
    /// Returns the token policy of `case`.
    ///
    /// # Panics
    /// If the cluster ID is malformed.
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
    /// Returns the token.
    ///
    /// # Panics
    /// If the case has neither `json` nor `token`, or both.
    pub fn token(&self) -> String {
        match (&self.json, &self.token) {
            (Some(json), None) => format!("k8s-ack-v2.{}", STANDARD.encode(json)),
            (None, Some(token)) => token.clone(),
            _ => panic!("{}: set either `json` or `token`", self.name),
        }
    }
}

#[derive(Deserialize)]
struct LoginVectors {
    /// Default members of every login.
    defaults: Map<String, Value>,
    cases: Vec<LoginCase>,
}

/// A login, and its expected result.
#[derive(Deserialize)]
pub struct LoginCase {
    /// A description of the case.
    pub name: String,
    /// The login, in the form of the input of `ack_ram_core_wasm::run`.
    pub login: Map<String, Value>,
    /// The code of the decision.
    pub code: String,
    /// The HTTP status of the reply.
    #[serde(default = "ok")]
    pub status: u16,
    /// The `status.user` of a grant.
    pub user: Option<Value>,
    /// The position of the rule that matched.
    pub matched: Option<String>,
    /// The rest of the explanation.
    pub explanation: Option<ExpectedExplanation>,
    /// The `status.error` of a denial or the `message` of an error, with `REF` for the reference.
    pub error: Option<String>,
}

#[derive(Deserialize)]
struct StsErrors {
    /// The rules of every login, which would grant the login without the error.
    backends: Value,
    cases: Vec<StsErrorCase>,
}

/// An error reply of STS, and the expected result of the login.
#[derive(Deserialize)]
pub struct StsErrorCase {
    /// A description of the reply.
    pub name: String,
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
    /// The code of the decision.
    pub code: String,
    /// The `status.error` of a denial or the `message` of an error, with `REF` for the reference.
    error: Option<String>,
}

impl StsErrorCase {
    /// Returns whether the login is denied. Otherwise, the result is unknown, which is an error.
    #[must_use]
    pub fn is_denial(&self) -> bool {
        self.code == "sts_refused"
    }

    fn into_login(self, backends: &Value) -> LoginCase {
        let status = if self.is_denial() { ok() } else { 503 };
        let response = json!({ "status": self.status, "body": self.body });
        let login = json!({ "sts": { "response": response }, "backends": backends });
        LoginCase {
            name: self.name,
            login: serde_json::from_value(login).expect("an object"),
            code: self.code,
            status,
            user: None,
            matched: None,
            explanation: None,
            error: self.error,
        }
    }
}

/// The expected parts of an explanation: rules by position, and differences by name.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ExpectedExplanation {
    /// Rules that also match, but have a lower precedence.
    pub outranked: Option<Vec<String>>,
    /// Rules that were skipped because their condition is false.
    pub passed_over: Option<Vec<String>>,
    /// The differences of rules that nearly match.
    pub near_misses: Option<Vec<String>>,
    /// Whether the explanation leaves out the identity.
    pub scrubbed: bool,
}

fn ok() -> u16 {
    200
}
