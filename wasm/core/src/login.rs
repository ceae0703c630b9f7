//! One complete login, with all inputs supplied by the caller.

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
    /// The cluster ID of the server.
    pub cluster_id: String,
    /// The current time, as `YYYY-MM-DDTHH:MM:SSZ`.
    pub now: String,
    /// The reply of STS. Without a reply, the output is the request to STS.
    pub sts: Option<Reply>,
    /// The backends, in order of precedence.
    #[serde(default)]
    pub backends: Vec<BackendInput>,
    /// The scrubbed accounts, whose identities are not reported.
    #[serde(default)]
    pub scrubbed_accounts: Vec<String>,
    /// The validations that every user must pass.
    #[serde(default)]
    pub user_validation_rules: Vec<ValidationInput>,
    /// Whether tokens v1 are accepted.
    #[serde(default)]
    pub accept_token_v1: bool,
    /// Query keys that a token v2 may sign in addition to the cluster ID.
    #[serde(default)]
    pub extra_query_keys: BTreeSet<String>,
}

/// A backend and its rules.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BackendInput {
    /// The name of the backend, as in `server.backendMode`.
    pub backend: Backend,
    /// The mappings, in order of precedence.
    #[serde(default)]
    pub mappings: Vec<MappingInput>,
    /// The accounts in `mapAccounts`.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// Prefixes that usernames of the backend must not have.
    #[serde(default)]
    pub reserved_usernames: Vec<Box<str>>,
    /// Prefixes that groups of the backend must not have.
    #[serde(default)]
    pub reserved_groups: Vec<Box<str>>,
}

/// An entry of `userValidationRules`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValidationInput {
    /// A CEL expression over `identity` and `user`.
    pub expression: String,
    /// The message for users that fail the validation.
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
    /// STS could not be reached.
    Unreachable,
    /// STS did not reply in time.
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
        /// The HTTP status of the response to the API server.
        status: u16,
        /// The body of the response to the API server.
        answer: String,
        /// The explanation of the decision.
        explanation: Box<Explanation>,
    },
    /// The input is not a valid [`Login`].
    Error {
        /// The reason.
        error: String,
    },
}

/// A summary of the call to STS, without the caller's secrets.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StsCall {
    /// The method.
    pub method: &'static str,
    /// The names of the headers.
    pub headers: Vec<&'static str>,
}

/// Parses a [`Login`] from JSON, runs it, and returns a [`LoginOutput`] as JSON. Never panics, whatever the input.
#[must_use]
pub fn run(input: &[u8]) -> Vec<u8> {
    let output = serde_json::from_slice::<Login>(input)
        .map_err(|error| format!("invalid login: {error}"))
        .and_then(|login| run_login(&login))
        .unwrap_or_else(|error| LoginOutput::Error { error });
    serde_json::to_vec(&output).unwrap_or_default()
}

fn run_login(login: &Login) -> Result<LoginOutput, String> {
    let cluster_id =
        ClusterId::parse(&login.cluster_id).ok_or("`clusterId` is not a valid cluster ID")?;
    let now = UnixTime::parse(&login.now)
        .ok_or("`now` is not a valid time; expected `YYYY-MM-DDTHH:MM:SSZ`")?;
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
            .map_err(|error| format!("invalid expression in `userValidationRules`: {error}"))
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
            .map_err(|error| format!("`{position}` is not valid: {error}"))?;
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
    AccountId::parse(text).ok_or_else(|| "an account ID must consist of digits".to_owned())
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
