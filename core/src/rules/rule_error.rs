//! The errors of mappings that do not compile.

use crate::arn::ArnError;
use crate::rules::expression::ExpressionError;
use crate::rules::pattern::PatternError;
use crate::rules::template::{RESERVED_PREFIX, TemplateError};

/// The reason why a mapping is refused. Other mappings are not affected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The mapping has no subject.
    #[error("no subject: set `arn`, `arnPattern`, `userID`, `roleID` or `match`")]
    NoSubject,
    /// The mapping has two subjects.
    #[error("two subjects: set either `{0}` or `{1}`, not both")]
    TwoSubjects(&'static str, &'static str),
    /// The ARN is invalid.
    #[error("invalid ARN: {0}")]
    Arn(ArnError),
    /// The ARN names one session of a role. Identities are looked up by their role, so the mapping would match every
    /// session.
    #[error(
        "the ARN names one session of a role, but identities are looked up by their role; use `{role}`"
    )]
    AssumedRole {
        /// The ARN of the role.
        role: String,
    },
    /// An entry of `groupsExpressionMayAdd` is invalid.
    #[error("invalid `groupsExpressionMayAdd[{index}]`: {error}")]
    MayAdd {
        /// The index of the entry, from 0.
        index: usize,
        /// The defect of the entry.
        error: MayAddError,
    },
    /// The mapping has `groupsExpressionMayAdd` without `groupsExpression`.
    #[error(
        "`groupsExpressionMayAdd` requires `groupsExpression`; add `groupsExpression`, or remove `groupsExpressionMayAdd`"
    )]
    MayAddWithoutExpression,
    /// The pattern is invalid.
    #[error("invalid pattern: {0}")]
    Pattern(PatternError),
    /// The user ID or role ID is malformed.
    #[error("invalid `{0}`: use 1 to 80 letters, digits, `-`, `_` and `.`")]
    Id(&'static str),
    /// An expression is invalid.
    #[error("invalid `{field}`: {error}")]
    Expression {
        /// The field that contains the expression.
        field: &'static str,
        /// The defect of the expression.
        error: ExpressionError,
    },
    /// The username is not a valid template.
    #[error("invalid `username`: {0}")]
    Username(TemplateError),
    /// A group is not a valid template.
    #[error("invalid `groups[{index}]`: {error}")]
    Group {
        /// The index of the group, from 0.
        index: usize,
        /// The defect of the template.
        error: TemplateError,
    },
}

/// The reason why an entry of `groupsExpressionMayAdd` is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MayAddError {
    /// The entry is empty.
    #[error("the name is empty")]
    Empty,
    /// The entry does not start with [`RESERVED_PREFIX`]. The author may wrongly assume that the list also limits other
    /// names.
    #[error(
        "the name does not start with `{RESERVED_PREFIX}`, so the expression may return it without this entry; remove the entry"
    )]
    MissingReservedPrefix,
    /// The entry contains `{{`, but is not a template.
    #[error(
        "the name contains `{{{{`, but variables are not supported in this field; write the exact name"
    )]
    Template,
    /// The entry contains a control character.
    #[error("the name contains a control character")]
    ControlCharacter,
}
