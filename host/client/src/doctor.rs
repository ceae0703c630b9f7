//! What can be found out about the setup of a client, for the command `doctor`: facts that a login does not need.
//!
//! Each function adds findings to those of the login itself. No finding contains a secret or the value of a variable.

mod cache;
mod files;
mod kubeconfig;
mod kubeconfig_users;
mod login;
mod redact;
mod variables;

use crate::environment::Environment;
use crate::error::{ClientError, SetupError};
use crate::finding::{Findings, Level, Topic};
use crate::obtain::Client;
use crate::plan::Plan;
use crate::resolve::resolve;
use crate::settings::Settings;
use files::RecordingFiles;

pub use cache::examine_cache;
pub use kubeconfig::{CurrentLogin, Kubeconfigs, LoginReader, LoginRefusal, StoredPlan};
pub use login::{examine_caller, examine_token};
pub use redact::Redaction;
pub use variables::{VariableFact, VariableState, variable_facts};

/// Decides on a plan as a login does, and adds findings about the variables and the files.
///
/// Returns `None` if there is no plan. A finding then says why.
pub fn examine_setup(client: &mut Client<'_>) -> Option<Plan> {
    let (settings, environment) = (client.settings, client.environment);
    examine_variables(settings, environment, client.findings);
    let files = RecordingFiles::default();
    let plan = resolve(settings, environment, &files, client.findings);
    files::examine(settings, environment, &files, plan.is_ok(), client.findings);
    match plan {
        Ok(plan) => {
            files::examine_plan(&plan, client.findings);
            Some(plan)
        }
        Err(error) => {
            add_failure(topic_of(&error), &error, client.findings);
            None
        }
    }
}

/// Adds findings about the variables.
///
/// `settings` must include the variables of ack-ram-tool ([`Settings::add_variables`]).
pub fn examine_variables(settings: &Settings, environment: &Environment, findings: &mut Findings) {
    variables::examine(settings, environment, findings);
}

/// Adds the reason why a login fails.
pub fn add_failure(topic: Topic, error: &ClientError, findings: &mut Findings) {
    findings.fail(topic, error.cause(), without_doctor(&error.remedy()));
}

/// Returns a remedy without the advice to run `doctor`, which the reader has done.
fn without_doctor(remedy: &str) -> &str {
    const ADVICE: &str = "; `ack-ram-authenticator doctor`";
    remedy.split_once(ADVICE).map_or(remedy, |(first, _)| first)
}

/// Returns whether a login would succeed: whether no finding is a problem.
#[must_use]
pub fn is_ok(findings: &Findings) -> bool {
    findings
        .list()
        .iter()
        .all(|finding| finding.level != Level::Problem)
}

/// Returns the subject of an error about the setup.
fn topic_of(error: &ClientError) -> Topic {
    let ClientError::Setup(error) = error else {
        return Topic::Plan;
    };
    match **error {
        SetupError::File { .. }
        | SetupError::Json { .. }
        | SetupError::Ini { .. }
        | SetupError::NoProfiles { .. }
        | SetupError::NoProfile { .. }
        | SetupError::Loop { .. }
        | SetupError::ChainTooLong { .. } => Topic::Files,
        _ => Topic::Plan,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remedy_does_not_advise_to_run_doctor() {
        let error = ClientError::from(SetupError::NotConfigured {
            searched: Vec::new(),
        });
        assert!(error.remedy().contains("doctor"));
        let mut findings = Findings::default();
        add_failure(Topic::Plan, &error, &mut findings);
        let remedy = findings.list()[0].remedy.as_deref().unwrap();
        assert!(remedy.ends_with("or run `aliyun configure`"), "{remedy}");
    }
}
