//! One login from beginning to end, with all that a host would say.

use ack_ram_core::arn::AccountId;
use ack_ram_core::cluster_id::ClusterId;
use ack_ram_core::decision::{Decision, Explanation};
use ack_ram_core::login::{Step, begin};
use ack_ram_core::policy::Policy;
use ack_ram_core::review::{self, ReviewVersion};
use ack_ram_core::rules::{Age, Backend, BackendRules, Globs, Mapping, Rule, RuleSet, Source};
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
    /// Mappings of one file.
    #[serde(default)]
    pub mappings: Vec<MappingInput>,
    /// `mapAccounts` of that file.
    #[serde(default)]
    pub accounts: Vec<String>,
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

/// A mapping as a file holds it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MappingInput {
    /// Whom it maps.
    pub arn: String,
    /// The username, a template.
    pub username: String,
    /// The groups, templates.
    #[serde(default)]
    pub groups: Vec<String>,
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
    let awaiting = match begin(&login.token, &Policy::new(cluster_id), now) {
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
    let mut rules = BackendRules::new(Backend::MountedFile);
    for (index, mapping) in login.mappings.iter().enumerate() {
        let source = Source {
            backend: Backend::MountedFile,
            position: format!("mappings[{index}]"),
        };
        let MappingInput {
            arn,
            username,
            groups,
        } = mapping;
        let mapping = Mapping::exact(source, Age::Place(index), arn, username, groups.clone());
        let rule = Rule::compile(mapping, Globs::Wildcards)
            .map_err(|error| format!("`mappings[{index}]` was refused: {error}"))?;
        rules.apply(rule);
    }
    for account in &login.accounts {
        let account = AccountId::parse(account).ok_or("an account is digits")?;
        rules.apply_account(account);
    }
    Ok(RuleSet::new(vec![rules], std::collections::BTreeSet::new()))
}

fn outcome(decision: Decision) -> Outcome {
    let answer = review::answer(ReviewVersion::V1, &decision);
    Outcome::Decision {
        code: decision.code(),
        status: answer.status,
        answer: String::from_utf8_lossy(&answer.body).into_owned(),
        explanation: Box::new(decision.explanation),
    }
}
