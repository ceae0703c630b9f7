//! What the log and the metrics are told of a request.

use std::fmt::Write as _;

use ack_ram_core::decision::{Decision, Denial, Outcome};
use ack_ram_core::gateway::Refusal;

use crate::config::LogLevel;

/// One line of log, and the result that is counted.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// The level of the line.
    pub level: LogLevel,
    /// The line. It holds no secret, and of scrubbed accounts nothing but the result.
    pub line: String,
    /// A stable name of the result, for metrics.
    pub result: &'static str,
}

impl Told {
    /// All that [`Told::result`] may be.
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

    pub(super) fn admitted(decision: &Decision, word_from: Option<&'static str>) -> Self {
        Self {
            level: LogLevel::Info,
            line: line("access granted", "granted", decision, None, word_from),
            result: "granted",
        }
    }

    pub(super) fn refused(
        decision: &Decision,
        refusal: &Refusal,
        word_from: Option<&'static str>,
    ) -> Self {
        let (level, what, result) = match &decision.outcome {
            // Whom the rules let pass, and the gateway does not.
            Outcome::Granted(_) => (LogLevel::Warn, "access denied", "forbidden"),
            Outcome::Denied(denial) => (LogLevel::Warn, "access denied", counted(denial)),
            Outcome::NotOurs => (LogLevel::Debug, "not a token of ours", "not_ours"),
            Outcome::Unable(_) => (LogLevel::Error, "cannot tell", "unavailable"),
        };
        let code = match &decision.outcome {
            Outcome::Granted(_) => result,
            _ => decision.code(),
        };
        Self {
            level,
            line: line(what, code, decision, Some(refusal), word_from),
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

/// The metric that a denial is counted in.
fn counted(denial: &Denial) -> &'static str {
    match denial {
        Denial::Token(_) => "invalid_token",
        Denial::Sts(_) => "sts_refused",
        Denial::NotMapped => "not_mapped",
        Denial::Name(_) => "name_refused",
        Denial::Validation(_) | Denial::ValidationFailed(_) => "validation_refused",
    }
}

fn line(
    what: &str,
    result: &str,
    decision: &Decision,
    refusal: Option<&Refusal>,
    word_from: Option<&'static str>,
) -> String {
    let explanation = &decision.explanation;
    let mut line = format!("{what} result={result}");
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
    if let Outcome::Granted(user) = &decision.outcome {
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
    if let Some(word_from) = word_from {
        add("cache", &word_from);
    }
    line
}
