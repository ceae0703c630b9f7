//! The vectors in `tests/vectors/` that more than one test runs.

mod gateway;

use std::collections::{BTreeMap, BTreeSet};

use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::policy::TokenPolicy;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub use gateway::{GatewayCase, GatewayRefusal, gateway};

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

/// The logins of `logins.json`, each with its defaults, and one for each error of `sts-errors.json`.
///
/// # Panics
/// When a file has another form.
pub fn logins() -> Vec<LoginCase> {
    let Logins { defaults, cases } =
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

/// The errors of `sts-errors.json`.
///
/// # Panics
/// When the file has another form.
pub fn sts_errors() -> Vec<StsErrorCase> {
    read_sts_errors().cases
}

fn read_sts_errors() -> StsErrors {
    let errors = include_str!("../vectors/sts-errors.json");
    let errors: StsErrors = serde_json::from_str(errors).expect("sts-errors.json");
    assert!(errors.cases.len() >= 48, "sts-errors.json has lost cases");
    errors
}

/// The objects of `mapping-objects.json`.
///
/// # Panics
/// When the file has another form.
pub fn mapping_objects() -> Vec<MappingObjectCase> {
    let cases = include_str!("../vectors/mapping-objects.json");
    serde_json::from_str(cases).expect("mapping-objects.json")
}

/// An object, and who refuses it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MappingObjectCase {
    /// What the object is.
    pub what: String,
    /// The specification.
    pub spec: Value,
    /// A part of the API server's message.
    pub api_server_refuses: Option<String>,
    /// A part of the authenticator's message.
    pub server_refuses: Option<String>,
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

#[derive(Deserialize)]
struct StsErrors {
    /// The rules of every login, which would grant what an error must not.
    backends: Value,
    cases: Vec<StsErrorCase>,
}

/// An answer of STS that is no identity, and what becomes of the login.
#[derive(Deserialize)]
pub struct StsErrorCase {
    /// What the answer is.
    pub name: String,
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
    /// The code of the decision.
    pub code: String,
    /// `status.error` of a denial or `message` of an error, `REF` for the reference.
    error: Option<String>,
}

impl StsErrorCase {
    /// Returns whether the login is denied; else nothing is known about it.
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
