//! One login from beginning to end, with all that a host would say.

use std::collections::BTreeSet;

use ack_ram_core::arn::AccountId;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::decision::{Decision, Explanation, Stage};
use ack_ram_core::login::{Step, begin};
use ack_ram_core::policy::Policy;
use ack_ram_core::review::{self, ReviewVersion};
use ack_ram_core::rules::{
    Age, Backend, BackendRules, Globs, Mapping, ReservedPrefixes, Rule, RuleSet, SessionArns,
    Source, Validation,
};
use ack_ram_core::sts::StsReply;
use ack_ram_core::time::UnixTime;
use serde::{Deserialize, Serialize};

/// A login, and all that surrounds it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Login {
    /// The token.
    pub token: String,
    /// The cluster of the server.
    pub cluster_id: String,
    /// The time, `YYYY-MM-DDTHH:MM:SSZ`.
    pub now: String,
    /// What STS answers; without it, the run ends at the request.
    pub sts: Option<Reply>,
    /// The backends, in the order in which they answer.
    #[serde(default)]
    pub backends: Vec<BackendInput>,
    /// Accounts of which nothing is told.
    #[serde(default)]
    pub scrubbed_accounts: Vec<String>,
    /// What every user must meet.
    #[serde(default)]
    pub user_validation_rules: Vec<ValidationInput>,
    /// Whether tokens v1 are taken.
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
    /// Its mappings, the older first.
    #[serde(default)]
    pub mappings: Vec<MappingInput>,
    /// Its `mapAccounts`.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// What its usernames may not start with.
    #[serde(default)]
    pub reserved_usernames: Vec<Box<str>>,
    /// What its groups may not start with.
    #[serde(default)]
    pub reserved_groups: Vec<Box<str>>,
}

/// An entry of `userValidationRules`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValidationInput {
    /// A CEL expression over `identity` and `user`.
    pub expression: String,
    /// What somebody is told whom it refuses.
    pub message: String,
}

/// What STS answers.
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

/// A mapping as an object holds it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MappingInput {
    /// Whom it maps: an ARN, with wildcards where `globs` is set.
    pub arn: String,
    /// Whether `arn` may have wildcards.
    pub globs: bool,
    /// Whom it maps: a pattern.
    pub arn_pattern: Option<String>,
    /// Whom it maps: a user.
    #[serde(rename = "userID")]
    pub user_id: Option<String>,
    /// Whom it maps: a role.
    #[serde(rename = "roleID")]
    pub role_id: Option<String>,
    /// A condition in CEL.
    #[serde(rename = "match")]
    pub condition: Option<String>,
    /// The username, a template.
    pub username: String,
    /// The username, in CEL.
    pub username_expression: Option<String>,
    /// The groups, templates.
    pub groups: Vec<String>,
    /// Further groups, in CEL.
    pub groups_expression: Option<String>,
    /// The names starting `system:` that this expression may give.
    pub groups_expression_may_add: Vec<String>,
}

/// What became of a login.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase", untagged)]
pub enum Outcome {
    /// The call that a host would send to STS.
    Request(Request),
    /// A decision.
    Decision {
        /// Its stable name.
        code: &'static str,
        /// The stages that the login passed.
        passed: &'static [Stage],
        /// The HTTP status of the answer to the API server.
        status: u16,
        /// The answer's body.
        answer: String,
        /// How it came about.
        explanation: Box<Explanation>,
    },
    /// The input was not a [`Login`].
    Error {
        /// What was wrong with it.
        error: String,
    },
}

/// A call to STS, without what is the caller's secret.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The method.
    pub method: &'static str,
    /// The names of the headers.
    pub headers: Vec<&'static str>,
}

/// Reads a [`Login`] as JSON and answers an [`Outcome`] as JSON. No input panics.
#[must_use]
pub fn run(input: &[u8]) -> Vec<u8> {
    let outcome = serde_json::from_slice::<Login>(input)
        .map_err(|error| format!("the input is not a login: {error}"))
        .and_then(|login| play(&login))
        .unwrap_or_else(|error| Outcome::Error { error });
    serde_json::to_vec(&outcome).unwrap_or_default()
}

fn play(login: &Login) -> Result<Outcome, String> {
    let cluster_id =
        ClusterId::parse(&login.cluster_id).ok_or("`clusterId` is not a cluster id")?;
    let now = UnixTime::parse(&login.now).ok_or("`now` is not `YYYY-MM-DDTHH:MM:SSZ`")?;
    let policy = Policy {
        accept_v1: login.accept_token_v1,
        extra_query_keys: login.extra_query_keys.clone(),
        ..Policy::new(cluster_id)
    };
    let awaiting = match begin(&login.token, &policy, now) {
        Step::Done(decision) => return Ok(outcome(decision)),
        Step::Send(awaiting) => awaiting,
    };
    let Some(reply) = &login.sts else {
        let request = awaiting.request();
        return Ok(Outcome::Request(Request {
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
        Ok(who) => rules(login)?.decide(&who),
        Err(error) => Decision::from_sts_error(fingerprint, error),
    };
    Ok(outcome(decision))
}

fn rules(login: &Login) -> Result<RuleSet, String> {
    let backends = login.backends.iter().map(backend);
    let scrubbed = login.scrubbed_accounts.iter().map(|text| account(text));
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

fn backend(input: &BackendInput) -> Result<BackendRules, String> {
    let mut rules = BackendRules::new(input.backend).with_reserved(ReservedPrefixes {
        usernames: input.reserved_usernames.clone(),
        groups: input.reserved_groups.clone(),
    });
    for (place, mapping) in input.mappings.iter().enumerate() {
        let position = format!("mappings[{place}]");
        let rule = Rule::compile(mapping_at(mapping, input.backend, &position, place))
            .map_err(|error| format!("`{position}` was refused: {error}"))?;
        rules.apply(rule);
    }
    for text in &input.accounts {
        rules.apply_account(account(text)?);
    }
    Ok(rules)
}

fn mapping_at(input: &MappingInput, backend: Backend, position: &str, place: usize) -> Mapping {
    Mapping {
        source: Source {
            backend,
            position: position.to_owned(),
        },
        age: Age::Place(place),
        arn: input.arn.clone(),
        globs: if input.globs {
            Globs::Wildcards
        } else {
            Globs::Literal
        },
        arn_pattern: input.arn_pattern.clone(),
        user_id: input.user_id.clone(),
        role_id: input.role_id.clone(),
        condition: input.condition.clone(),
        username: input.username.clone(),
        username_expression: input.username_expression.clone(),
        groups: input.groups.clone(),
        groups_expression: input.groups_expression.clone(),
        groups_expression_may_add: input.groups_expression_may_add.clone(),
        session_arns: SessionArns::Refused,
    }
}

fn account(text: &str) -> Result<AccountId, String> {
    AccountId::parse(text).ok_or_else(|| "an account is digits".to_owned())
}

fn outcome(decision: Decision) -> Outcome {
    let answer = review::answer(ReviewVersion::V1, &decision);
    Outcome::Decision {
        code: decision.code(),
        passed: decision.outcome.passed(),
        status: answer.status,
        answer: String::from_utf8_lossy(&answer.body).into_owned(),
        explanation: Box::new(decision.explanation),
    }
}
