//! What the audit file says of a decision. `CONFIGURATION.md` documents the fields, whose names stay.

use std::time::{Duration, SystemTime};

use ack_ram_core::decision::Outcome;
use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::kubernetes_user::KubernetesUser;
use ack_ram_core::rules::Explanation;
use serde::Serialize;

use crate::authenticator::{DecisionRecord, IdentitySource};
use crate::server::line_limiter::{LineReason, Summary};

/// One line of the audit file. It holds no secret.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuditRecord<'a> {
    /// When it was decided: UTC, as in RFC 3339.
    time: String,
    decision: &'static str,
    /// [`ack_ram_core::decision::Decision::code`].
    result: &'static str,
    milliseconds: f64,
    /// Of scrubbed accounts nothing but the result is written.
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
    /// `reference`, `identity`, `matched` and what came near.
    #[serde(flatten)]
    explanation: &'a Explanation,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<AuditedUser<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// How STS could not be reached.
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
    /// What is to be written of `decided` at the time `now`, if anything.
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

/// Returns the line of `record`, with its line feed.
pub(super) fn to_line(record: &impl Serialize) -> Vec<u8> {
    // Strings, numbers and maps with text as keys: writing them to memory cannot fail.
    let mut line = serde_json::to_vec(record).unwrap_or_default();
    line.push(b'\n');
    line
}

/// One line of the audit file for many decisions of one second.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuditSummary {
    /// When the line was made.
    time: String,
    decision: &'static str,
    result: &'static str,
    /// How many decisions have no line of their own.
    count: u64,
    /// The second in which they were made.
    second: String,
    /// The first of their tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<Fingerprint>,
}

impl AuditSummary {
    /// Returns what to write of `summary` at the time `now`, or `None` if it is not about decisions.
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
