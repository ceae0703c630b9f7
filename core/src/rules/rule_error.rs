//! Why a mapping was refused.

use crate::arn::ArnError;
use crate::rules::expression::ExpressionError;
use crate::rules::pattern::PatternError;
use crate::rules::template::{RESERVED_PREFIX, TemplateError};

/// Why a mapping was refused. Other mappings are unaffected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The mapping has no subject.
    #[error("it names nobody: give it an ARN, a pattern, an id or a condition")]
    NoSubject,
    /// The mapping has two subjects.
    #[error("it has both `{0}` and `{1}`; give it one of them")]
    TwoSubjects(&'static str, &'static str),
    /// Its ARN cannot be an identity.
    #[error("its ARN cannot be an identity: {0}")]
    Arn(ArnError),
    /// It names one session of a role; the role is what identities are looked up by, so it would map every session.
    #[error(
        "it names one session of a role, and identities are found by their role; write the role, `{role}`"
    )]
    AssumedRole {
        /// What to write instead.
        role: String,
    },
    /// An entry of `groupsExpressionMayAdd` is not allowed.
    #[error("its `groupsExpressionMayAdd[{index}]` was refused: {error}")]
    MayAdd {
        /// Which, from 0.
        index: usize,
        /// What is wrong with it.
        error: MayAddError,
    },
    /// It has `groupsExpressionMayAdd`, and no `groupsExpression`.
    #[error(
        "it has `groupsExpressionMayAdd` without `groupsExpression`; remove it, or add the expression"
    )]
    MayAddWithoutExpression,
    /// Its ARN has wildcards, and is not a pattern.
    #[error("its pattern was refused: {0}")]
    Pattern(PatternError),
    /// The user or role id is malformed.
    #[error("its `{0}` is not letters, digits, `-`, `_` and `.`")]
    Id(&'static str),
    /// One of its expressions was refused.
    #[error("its `{field}` was refused: {error}")]
    Expression {
        /// Which.
        field: &'static str,
        /// Why.
        error: ExpressionError,
    },
    /// Its username is not a template.
    #[error("its username was refused: {0}")]
    Username(TemplateError),
    /// One of its groups is not a template.
    #[error("its `groups[{index}]` was refused: {error}")]
    Group {
        /// Which, from 0.
        index: usize,
        /// What is wrong with it.
        error: TemplateError,
    },
}

/// Why an entry of `groupsExpressionMayAdd` was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MayAddError {
    /// There is no text.
    #[error("it is empty")]
    Empty,
    /// It does not start with [`RESERVED_PREFIX`]. Its author may assume that the list limits other names, too.
    #[error(
        "it does not start with `{RESERVED_PREFIX}`, and an expression may give such names whether they are here or not; remove it"
    )]
    MissingReservedPrefix,
    /// It holds `{{`: nothing is rendered here.
    #[error("it holds `{{{{`, and no variables are read here; write the exact name")]
    Template,
    /// It holds a control character.
    #[error("it holds a control character")]
    ControlCharacter,
}
