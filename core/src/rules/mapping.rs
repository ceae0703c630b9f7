//! Mappings, as they are written.

use crate::arn::{Arn, Resource};
use crate::rules::pattern::Pattern;
use crate::rules::source::Source;
use crate::time::UnixTime;

/// A mapping as it is written. At most one of `arn`, `arn_pattern`, `user_id` and `role_id` gives the subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The location of the mapping.
    pub source: Source,
    /// The precedence among mappings that tie.
    pub precedence: Precedence,
    /// `roleARN`, `userARN` or `spec.arn`; empty is none.
    pub arn: String,
    /// Whether `arn` may have wildcards.
    pub wildcards: WildcardMode,
    /// `spec.arnPattern`.
    pub arn_pattern: Option<String>,
    /// `spec.userID`.
    pub user_id: Option<String>,
    /// `spec.roleID`.
    pub role_id: Option<String>,
    /// `spec.match`: a CEL condition that must hold, too. Alone, it matches every identity that meets it.
    pub condition: Option<String>,
    /// The username, a template. Beside an expression: a name starting `system:` that it may give.
    pub username: String,
    /// `spec.usernameExpression`: a CEL expression in place of the template.
    pub username_expression: Option<String>,
    /// The groups, templates.
    pub groups: Vec<String>,
    /// `spec.groupsExpression`: a CEL expression that gives further groups.
    pub groups_expression: Option<String>,
    /// `spec.groupsExpressionMayAdd`: the names starting `system:` that this expression may give.
    pub groups_expression_may_add: Vec<String>,
    /// How an `arn` that names one session of a role is read.
    pub session_arn_mode: SessionArnMode,
}

impl Mapping {
    /// Creates a mapping of one ARN, the only kind that Go supports.
    #[must_use]
    pub fn for_arn(
        source: Source,
        age: Precedence,
        arn: &str,
        username: &str,
        groups: Vec<String>,
    ) -> Self {
        Self {
            source,
            precedence: age,
            arn: arn.to_owned(),
            wildcards: WildcardMode::Disabled,
            arn_pattern: None,
            user_id: None,
            role_id: None,
            condition: None,
            username: username.to_owned(),
            username_expression: None,
            groups,
            groups_expression: None,
            groups_expression_may_add: Vec::new(),
            session_arn_mode: SessionArnMode::Refused,
        }
    }

    /// Returns the role if `arn` names one session of a role. Identities are looked up by their role, so such a mapping
    /// could only match every session.
    #[must_use]
    pub fn role_of_session(&self) -> Option<Arn> {
        if self.wildcards == WildcardMode::Enabled && Pattern::has_wildcard(&self.arn) {
            return None;
        }
        let arn = Arn::parse(&self.arn).ok()?;
        matches!(arn.resource(), Resource::AssumedRole { .. }).then(|| arn.canonical())
    }
}

/// The precedence among rules that tie: the older one wins, by creation time, then by list index, then by position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precedence {
    /// An object, by its creation time.
    Created(UnixTime),
    /// An entry of a file, by its index in the list.
    ListIndex(usize),
}

/// Whether `arn` may have wildcards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WildcardMode {
    /// `*` and `?` are wildcards: in objects, and in files with `server.globs`.
    Enabled,
    /// `*` and `?` are literal, as Go reads them in files; no identity has them.
    Disabled,
}

/// How an `arn` that names one session of a role is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionArnMode {
    /// The mapping is refused: it would let every session in under a name that is meant for one.
    Refused,
    /// As the role, as Go reads it: in objects that Go's users made.
    AsRole,
}
