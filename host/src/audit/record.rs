//! The lines of the audit file. `CONFIGURATION.md` documents the fields, whose names are stable.

use std::time::{Duration, SystemTime};

use ack_ram_core::decision::Outcome;
use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::kubernetes_user::KubernetesUser;
use ack_ram_core::rules::Explanation;
use serde::Serialize;

use crate::authenticator::{DecisionRecord, IdentitySource};
use crate::server::line_limiter::{LineReason, Summary};

/// A line of the audit file about one decision. It holds no secret.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuditRecord<'a> {
    /// Time of the decision: UTC, as in RFC 3339.
    time: String,
    decision: &'static str,
    /// [`ack_ram_core::decision::Decision::code`].
    result: &'static str,
    milliseconds: f64,
    /// Details of the login. Lines about scrubbed accounts leave them out.
    #[serde(flatten)]
    about: RecordDetails<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum RecordDetails<'a> {
    Scrubbed { scrubbed: bool },
    LoginDetails(Box<LoginDetails<'a>>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LoginDetails<'a> {
    /// `reference`, `identity`, `matched` and near misses.
    #[serde(flatten)]
    explanation: &'a Explanation,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<AuditedUser<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The connection error, if STS could not be reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<&'static str>,
}

#[derive(Serialize)]
struct AuditedUser<'a> {
    username: &'a str,
    uid: &'a str,
    groups: &'a [String],
}

impl<'a> AuditRecord<'a> {
    /// Builds the record of `decided` at the time `now`, or returns `None` if the token was not recognized.
    pub(super) fn from_decision(
        decided: &'a DecisionRecord,
        took: Duration,
        now: SystemTime,
    ) -> Option<Self> {
        let DecisionRecord {
            decision,
            cause,
            source,
        } = decided;
        let (outcome, user) = match decision.outcome() {
            Outcome::UnrecognizedToken => return None,
            Outcome::Granted(user) => ("granted", Some(user)),
            Outcome::Denied(_) => ("denied", None),
            Outcome::Unavailable(_) => ("unable", None),
        };
        let about = if decision.explanation().scrubbed {
            RecordDetails::Scrubbed { scrubbed: true }
        } else {
            RecordDetails::LoginDetails(Box::new(LoginDetails {
                explanation: decision.explanation(),
                user: user.map(AuditedUser::from_user),
                reason: decision.reason(),
                cause: cause.as_deref(),
                cache: source.map(IdentitySource::code),
            }))
        };
        Some(Self {
            time: humantime::format_rfc3339_millis(now).to_string(),
            decision: outcome,
            result: decision.code(),
            milliseconds: took.as_micros() as f64 / 1_000.0,
            about,
        })
    }
}

/// Serializes `record` as a line, with the line feed.
pub(super) fn to_line(record: &impl Serialize) -> Vec<u8> {
    // Serializing strings, numbers and maps with text keys to memory cannot fail.
    let mut line = serde_json::to_vec(record).unwrap_or_default();
    line.push(b'\n');
    line
}

/// A line of the audit file about many decisions in one second.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuditSummary {
    /// Time when the line was written.
    time: String,
    decision: &'static str,
    result: &'static str,
    /// Number of decisions without a line of their own.
    count: u64,
    /// The second of the decisions.
    second: String,
    /// Reference of the first token.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<Fingerprint>,
}

impl AuditSummary {
    /// Builds the line of `summary` at the time `now`, or returns `None` if it is not about decisions.
    pub(super) fn from_summary(summary: &Summary, now: SystemTime) -> Option<Self> {
        let (decision, result) = match summary.reason {
            LineReason::Denied(result) => ("denied", result),
            LineReason::Unable(result) => ("unable", result),
            LineReason::Rejected(_) | LineReason::TurnedAway | LineReason::Flood => return None,
        };
        Some(Self {
            time: humantime::format_rfc3339_millis(now).to_string(),
            decision,
            result,
            count: summary.count,
            second: summary.second(),
            reference: summary.reference,
        })
    }
}

impl<'a> AuditedUser<'a> {
    fn from_user(user: &'a KubernetesUser) -> Self {
        let KubernetesUser {
            username,
            uid,
            groups,
            extra: _,
        } = user;
        Self {
            username,
            uid,
            groups,
        }
    }
}
