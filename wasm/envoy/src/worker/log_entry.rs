//! The log entry for a request, and its result for metrics.

use std::fmt::Write as _;

use ack_ram_core::decision::{Decision, Denial, Outcome};
use ack_ram_core::gateway::Refusal;
use ack_ram_core::rules::RulesRefusal;

use crate::config::LogLevel;

/// A log entry, and the result that metrics count.
#[derive(Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The level of the line.
    pub level: LogLevel,
    /// The line. It contains no secret. For identities of scrubbed accounts, it contains only the result.
    pub line: String,
    /// The name of the result, for metrics.
    pub result: &'static str,
}

impl LogEntry {
    /// All values of [`LogEntry::result`].
    pub const RESULTS: [&'static str; 10] = [
        "granted",
        "forbidden",
        "no_token",
        "not_ours",
        "invalid_token",
        "sts_refused",
        "not_mapped",
        "name_refused",
        "validation_refused",
        "unavailable",
    ];

    pub(super) fn admitted(decision: &Decision, identity_source: Option<&'static str>) -> Self {
        Self {
            level: LogLevel::Info,
            line: format_line("access granted", "granted", decision, None, identity_source),
            result: "granted",
        }
    }

    pub(super) fn refused(
        decision: &Decision,
        refusal: &Refusal,
        identity_source: Option<&'static str>,
    ) -> Self {
        let (level, message, result) = match decision.outcome() {
            // The rules map the identity to a user, but the gateway refuses the user.
            Outcome::Granted(_) => (LogLevel::Warn, "access denied", "forbidden"),
            Outcome::Denied(denial) => (LogLevel::Warn, "access denied", denial_result(denial)),
            Outcome::UnrecognizedToken => (LogLevel::Debug, "unrecognized token", "not_ours"),
            Outcome::Unavailable(_) => (LogLevel::Error, "decision unavailable", "unavailable"),
        };
        let code = match decision.outcome() {
            Outcome::Granted(_) => result,
            _ => decision.code(),
        };
        Self {
            level,
            line: format_line(message, code, decision, Some(refusal), identity_source),
            result,
        }
    }

    pub(super) fn no_token(refusal: &Refusal) -> Self {
        Self {
            level: LogLevel::Debug,
            line: format!(
                "access denied result=no_token reason={:?}",
                refusal.detail()
            ),
            result: "no_token",
        }
    }

    pub(super) fn forbidden(refusal: &Refusal) -> Self {
        Self {
            level: LogLevel::Debug,
            line: format!(
                "access denied result=forbidden reason={:?}",
                refusal.detail()
            ),
            result: "forbidden",
        }
    }
}

/// Returns the result under which metrics count a denial.
fn denial_result(denial: &Denial) -> &'static str {
    match denial {
        Denial::Token(_) => "invalid_token",
        Denial::Sts(_) => "sts_refused",
        Denial::Rules(RulesRefusal::NotMapped) => "not_mapped",
        Denial::Rules(RulesRefusal::Name(_)) => "name_refused",
        Denial::Rules(RulesRefusal::Validation(_) | RulesRefusal::ValidationFailed(_)) => {
            "validation_refused"
        }
    }
}

fn format_line(
    message: &str,
    result: &str,
    decision: &Decision,
    refusal: Option<&Refusal>,
    identity_source: Option<&'static str>,
) -> String {
    let explanation = decision.explanation();
    let mut line = format!("{message} result={result}");
    if explanation.scrubbed {
        return line;
    }
    let mut add = |name: &str, value: &dyn std::fmt::Display| {
        // Writing to a string never fails.
        let _ = write!(line, " {name}={value}");
    };
    if let Some(reference) = explanation.fingerprint {
        add("reference", &reference);
    }
    if let Some(identity) = &explanation.identity {
        add("arn", &identity.arn);
        add("access_key_id", &identity.access_key_id);
    }
    if let Some(rule) = &explanation.matched {
        add("rule", &format_args!("{:?}", rule.to_string()));
    }
    if let Outcome::Granted(user) = decision.outcome() {
        add("username", &format_args!("{:?}", user.username));
        add("groups", &format_args!("{:?}", user.groups));
    }
    if let Some(refusal) = refusal {
        add("reason", &format_args!("{:?}", refusal.detail()));
    }
    let hints = explanation.hints();
    if refusal.is_some() && !hints.is_empty() {
        add("hints", &format_args!("{:?}", hints.join("; ")));
    }
    if let Some(identity_source) = identity_source {
        add("cache", &identity_source);
    }
    line
}
