//! How long a mapping has been in effect, and until when and why a last good form stays.

use std::fmt;

use ack_ram_core::rules::Mapping;
use ack_ram_core::time::UnixTime;

/// How long a mapping has been in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation {
    /// Since when, in this form.
    pub since: UnixTime,
    /// It is the last good form of an entry that a later edit broke.
    pub retention: Option<Retention>,
}

/// Why and until when a mapping that is no longer written is still in effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// When the first broken edit was seen.
    pub since: UnixTime,
    /// When it ends.
    pub until: UnixTime,
    /// What is wrong with the edit.
    pub reason: String,
    /// Why it stays.
    pub basis: RetentionBasis,
}

/// Why a last good form stays in effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetentionBasis {
    /// The newest text is about the same subject, and gives all of this.
    BothTexts,
    /// There is no newest text that can be read.
    Unreadable,
    /// `server.protect` names it.
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
    /// In effect since `since`, as it is written.
    #[must_use]
    pub fn new(since: UnixTime) -> Self {
        Self {
            since,
            retention: None,
        }
    }
}

impl Retention {
    /// Retains a form from `now` on, for `ttl` seconds.
    #[must_use]
    pub fn new(now: UnixTime, ttl: i64, reason: String, basis: RetentionBasis) -> Self {
        Self {
            since: now,
            until: now.plus_seconds(ttl),
            reason,
            basis,
        }
    }

    /// Renews the reason after another broken edit, which does not extend the time.
    #[must_use]
    pub fn renewed(self, reason: String, basis: RetentionBasis) -> Self {
        Self {
            reason,
            basis,
            ..self
        }
    }

    /// Lets it end so many seconds after it began.
    pub fn set_ttl(&mut self, ttl: i64) {
        self.until = self.since.plus_seconds(ttl);
    }

    /// Returns whether the time is over.
    #[must_use]
    pub fn is_expired(&self, now: UnixTime) -> bool {
        now >= self.until
    }
}

/// What stays of an entry, for people: `<subject> as <username> in groups <groups>`.
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
        Some(_) => ", and in those that `groupsExpression` gives",
        None => "",
    };
    format!("`{subject}` as `{username}` {groups}{expression}")
}
