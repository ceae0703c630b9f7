//! Activation of mappings: since when a mapping is in effect, and until when and why a last good form is kept.

use std::fmt;

use ack_ram_core::rules::Mapping;
use ack_ram_core::time::UnixTime;

/// The time since which a mapping is in effect, with details if it is a last good form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation {
    /// Time since which the mapping is in effect in this form.
    pub since: UnixTime,
    /// Details of a last good form that is kept after an invalid edit; `None` for a mapping as it is written.
    pub retention: Option<Retention>,
}

/// Details of a last good form that is still in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Time of the first invalid edit.
    pub since: UnixTime,
    /// Time when the form expires.
    pub until: UnixTime,
    /// Error in the edit.
    pub reason: String,
    /// Reason why the form is kept.
    pub basis: RetentionBasis,
}

/// Reason why a last good form is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetentionBasis {
    /// The newest text has the same subject and still grants all of the kept access.
    BothTexts,
    /// The newest text cannot be read.
    Unreadable,
    /// `server.protect` names the subject.
    Protected,
}

impl fmt::Display for RetentionBasis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BothTexts => "the newest text still gives this to the same subject",
            Self::Unreadable => "the newest text cannot be read",
            Self::Protected => "`server.protect` names the subject",
        })
    }
}

impl Activation {
    /// Creates the activation of a mapping that is in effect as written, since `since`.
    #[must_use]
    pub fn new(since: UnixTime) -> Self {
        Self {
            since,
            retention: None,
        }
    }
}

impl Retention {
    /// Keeps a form for `ttl` seconds, starting at `now`.
    #[must_use]
    pub fn new(now: UnixTime, ttl: i64, reason: String, basis: RetentionBasis) -> Self {
        Self {
            since: now,
            until: now.plus_seconds(ttl),
            reason,
            basis,
        }
    }

    /// Replaces the reason after another invalid edit. The form does not expire later because of that.
    #[must_use]
    pub fn renewed(self, reason: String, basis: RetentionBasis) -> Self {
        Self {
            reason,
            basis,
            ..self
        }
    }

    /// Sets the expiry to `ttl` seconds after the first invalid edit.
    pub fn set_ttl(&mut self, ttl: i64) {
        self.until = self.since.plus_seconds(ttl);
    }

    /// Returns whether the form has expired at `now`.
    #[must_use]
    pub fn is_expired(&self, now: UnixTime) -> bool {
        now >= self.until
    }
}

/// Describes a mapping for users: `<subject> as <username> in groups <groups>`.
#[must_use]
pub fn describe_mapping(mapping: &Mapping) -> String {
    let spec = &mapping.spec;
    let subject = [
        Some(spec.arn.as_str()).filter(|arn| !arn.is_empty()),
        spec.arn_pattern.as_deref(),
        spec.user_id.as_deref(),
        spec.role_id.as_deref(),
    ];
    let subject = subject.into_iter().flatten().next();
    let subject = subject.unwrap_or("any identity that matches the condition");
    let username = spec.username_expression.as_ref();
    let username = username.unwrap_or(&spec.username);
    let groups = match spec.groups.as_slice() {
        [] => "without groups".to_owned(),
        groups => format!("in groups `{}`", groups.join("`, `")),
    };
    let expression = match &spec.groups_expression {
        Some(_) => ", plus the groups from `groupsExpression`",
        None => "",
    };
    format!("`{subject}` as `{username}` {groups}{expression}")
}
