//! Runs one login from start to end, with the inputs that a host would give.

use std::collections::BTreeSet;

use ack_ram_core::arn::AccountId;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::decision::{Decision, Stage};
use ack_ram_core::login::{Step, begin};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::review::{self, ReviewVersion};
use ack_ram_core::rules::{
    Backend, BackendRules, Explanation, Mapping, Precedence, ReservedPrefixes, Rule, RuleSet,
    Source, Validation, WildcardMode,
};
use ack_ram_core::sts::StsReply;
use ack_ram_core::time::UnixTime;
use serde::{Deserialize, Serialize};

use crate::mapping_input::MappingInput;

/// A login and its environment.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Login {
    /// The token.
    pub token: String,
    /// The cluster of the server.
    pub cluster_id: String,
    /// The time, `YYYY-MM-DDTHH:MM:SSZ`.
    pub now: String,
    /// The reply of STS; without it, the run ends at the request.
    pub sts: Option<Reply>,
    /// The backends, in order of precedence.
    #[serde(default)]
    pub backends: Vec<BackendInput>,
    /// Accounts whose identities are not reported.
    #[serde(default)]
    pub scrubbed_accounts: Vec<String>,
    /// The validations that every user must pass.
    #[serde(default)]
    pub user_validation_rules: Vec<ValidationInput>,
    /// Whether tokens v1 are accepted.
    #[serde(default)]
    pub accept_token_v1: bool,
    /// Query keys that a token v2 may sign beside the cluster id.
    #[serde(default)]
    pub extra_query_keys: BTreeSet<String>,
}

/// A backend and its rules.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackendInput {
    /// Its name, as in `server.backendMode`.
    pub backend: Backend,
    /// Its mappings, in order of precedence.
    #[serde(default)]
    pub mappings: Vec<MappingInput>,
    /// Its `mapAccounts`.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// The prefixes that its usernames may not have.
    #[serde(default)]
    pub reserved_usernames: Vec<Box<str>>,
    /// The prefixes that its groups may not have.
    #[serde(default)]
    pub reserved_groups: Vec<Box<str>>,
}

/// An entry of `userValidationRules`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValidationInput {
    /// A CEL expression over `identity` and `user`.
    pub expression: String,
    /// The message to a user that the validation refuses.
    pub message: String,
}

/// The reply of STS.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Reply {
    /// An HTTP response.
    Response {
        /// The status.
        status: u16,
        /// The body.
        body: String,
    },
    /// No connection.
    Unreachable,
    /// No answer in time.
    TimedOut,
}

/// The result of a login.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase", untagged)]
pub enum LoginOutput {
    /// The call that a host would send to STS.
    Request(StsCall),
    /// A decision.
    Decision {
        /// The result code.
        code: &'static str,
        /// The stages that the login passed.
        passed: &'static [Stage],
        /// The HTTP status of the answer to the API server.
        status: u16,
        /// The answer's body.
        answer: String,
        /// The explanation of the decision.
        explanation: Box<Explanation>,
    },
    /// The input was not a [`Login`].
    Error {
        /// What was wrong with it.
        error: String,
    },
}

/// A call to STS, without the secrets of the caller.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StsCall {
    /// The method.
    pub method: &'static str,
    /// The names of the headers.
    pub headers: Vec<&'static str>,
}

/// Parses a [`Login`] from JSON, runs it, and returns a [`LoginOutput`] as JSON. No input panics.
#[must_use]
pub fn run(input: &[u8]) -> Vec<u8> {
    let output = serde_json::from_slice::<Login>(input)
        .map_err(|error| format!("the input is not a login: {error}"))
        .and_then(|login| run_login(&login))
        .unwrap_or_else(|error| LoginOutput::Error { error });
    serde_json::to_vec(&output).unwrap_or_default()
}

fn run_login(login: &Login) -> Result<LoginOutput, String> {
    let cluster_id =
        ClusterId::parse(&login.cluster_id).ok_or("`clusterId` is not a cluster id")?;
    let now = UnixTime::parse(&login.now).ok_or("`now` is not `YYYY-MM-DDTHH:MM:SSZ`")?;
    let policy = TokenPolicy {
        accept_v1: login.accept_token_v1,
        extra_query_keys: login.extra_query_keys.clone(),
        ..TokenPolicy::new(cluster_id)
    };
    let awaiting = match begin(&login.token, &policy, now) {
        Step::Decided(decision) => return Ok(decision_output(decision)),
        Step::CallSts(awaiting) => awaiting,
    };
    let Some(reply) = &login.sts else {
        let request = awaiting.request();
        return Ok(LoginOutput::Request(StsCall {
            method: request.method(),
            headers: request.headers().map(|(name, _)| name).collect(),
        }));
    };
    let reply = match reply {
        Reply::Response { status, body } => StsReply::Response {
            status: *status,
            body: body.as_bytes(),
        },
        Reply::Unreachable => StsReply::Unreachable,
        Reply::TimedOut => StsReply::TimedOut,
    };
    let fingerprint = awaiting.fingerprint();
    let decision = match awaiting.resume(reply, now) {
        Ok(verified) => verified.decide(&build_rule_set(login)?),
        Err(error) => Decision::from_sts_error(fingerprint, error),
    };
    Ok(decision_output(decision))
}

fn build_rule_set(login: &Login) -> Result<RuleSet, String> {
    let backends = login.backends.iter().map(build_backend_rules);
    let scrubbed = login
        .scrubbed_accounts
        .iter()
        .map(|text| parse_account(text));
    let validations = login.user_validation_rules.iter().map(|validation| {
        Validation::compile(&validation.expression, &validation.message)
            .map_err(|error| format!("a validation was refused: {error}"))
    });
    let rules = RuleSet::new(
        backends.collect::<Result<_, _>>()?,
        scrubbed.collect::<Result<Vec<_>, _>>()?,
    );
    Ok(rules.with_validations(validations.collect::<Result<_, _>>()?))
}

fn build_backend_rules(input: &BackendInput) -> Result<BackendRules, String> {
    let mut rules = BackendRules::new(input.backend).with_reserved(ReservedPrefixes {
        usernames: input.reserved_usernames.clone(),
        groups: input.reserved_groups.clone(),
    });
    for (index, mapping) in input.mappings.iter().enumerate() {
        let position = format!("mappings[{index}]");
        let rule = Rule::compile(build_mapping(mapping, input.backend, &position, index))
            .map_err(|error| format!("`{position}` was refused: {error}"))?;
        rules.apply(rule);
    }
    for text in &input.accounts {
        rules.apply_account(parse_account(text)?);
    }
    Ok(rules)
}

fn build_mapping(input: &MappingInput, backend: Backend, position: &str, index: usize) -> Mapping {
    let source = Source {
        backend,
        position: position.to_owned(),
    };
    Mapping {
        wildcards: if input.globs {
            WildcardMode::Enabled
        } else {
            WildcardMode::Disabled
        },
        ..Mapping::new(source, Precedence::ListIndex(index), input.spec.clone())
    }
}

fn parse_account(text: &str) -> Result<AccountId, String> {
    AccountId::parse(text).ok_or_else(|| "an account is digits".to_owned())
}

fn decision_output(decision: Decision) -> LoginOutput {
    let reply = review::render_decision(ReviewVersion::V1, &decision);
    let code = decision.code();
    let (outcome, explanation) = decision.into_parts();
    LoginOutput::Decision {
        code,
        passed: outcome.passed_stages(),
        status: reply.status,
        answer: String::from_utf8_lossy(&reply.body).into_owned(),
        explanation: Box::new(explanation),
    }
}
