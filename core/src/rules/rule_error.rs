//! Why a mapping was refused.

use std::fmt;

use crate::arn::ArnError;
use crate::rules::expression::ExpressionError;
use crate::rules::pattern::PatternError;
use crate::rules::template::{RESERVED_PREFIX, TemplateError};

/// Why a mapping was refused. Other mappings are unaffected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// The mapping has no subject.
    NoSubject,
    /// The mapping has two subjects.
    TwoSubjects(&'static str, &'static str),
    /// Its ARN cannot be an identity.
    Arn(ArnError),
    /// It names one session of a role; the role is what identities are looked up by, so it would map every session.
    AssumedRole {
        /// What to write instead.
        role: String,
    },
    /// An entry of `groupsExpressionMayAdd` is not allowed.
    MayAdd {
        /// Which, from 0.
        index: usize,
        /// What is wrong with it.
        error: MayAddError,
    },
    /// It has `groupsExpressionMayAdd`, and no `groupsExpression`.
    MayAddWithoutExpression,
    /// Its ARN has wildcards, and is not a pattern.
    Pattern(PatternError),
    /// The user or role id is malformed.
    Id(&'static str),
    /// One of its expressions was refused.
    Expression {
        /// Which.
        field: &'static str,
        /// Why.
        error: ExpressionError,
    },
    /// Its username is not a template.
    Username(TemplateError),
    /// One of its groups is not a template.
    Group {
        /// Which, from 0.
        index: usize,
        /// What is wrong with it.
        error: TemplateError,
    },
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSubject => {
                f.write_str("it names nobody: give it an ARN, a pattern, an id or a condition")
            }
            Self::Expression { field, error } => write!(f, "its `{field}` was refused: {error}"),
            Self::TwoSubjects(one, other) => {
                write!(f, "it has both `{one}` and `{other}`; give it one of them")
            }
            Self::Arn(error) => write!(f, "its ARN cannot be an identity: {error}"),
            Self::AssumedRole { role } => {
                write!(
                    f,
                    "it names one session of a role, and identities are found by their role; write the role, `{role}`"
                )
            }
            Self::MayAdd { index, error } => {
                write!(f, "its `groupsExpressionMayAdd[{index}]` was refused: {error}")
            }
            Self::MayAddWithoutExpression => f.write_str(
                "it has `groupsExpressionMayAdd` without `groupsExpression`; remove it, or add the expression",
            ),
            Self::Pattern(error) => write!(f, "its pattern was refused: {error}"),
            Self::Id(field) => write!(f, "its `{field}` is not letters, digits, `-`, `_` and `.`"),
            Self::Username(error) => write!(f, "its username was refused: {error}"),
            Self::Group { index, error } => write!(f, "its `groups[{index}]` was refused: {error}"),
        }
    }
}

impl std::error::Error for RuleError {}

/// Why an entry of `groupsExpressionMayAdd` was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MayAddError {
    /// There is no text.
    Empty,
    /// It does not start with [`RESERVED_PREFIX`]. Its author may assume that the list limits other names, too.
    MissingReservedPrefix,
    /// It holds `{{`: nothing is rendered here.
    Template,
    /// It holds a control character.
    ControlCharacter,
}

impl fmt::Display for MayAddError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::MissingReservedPrefix => write!(
                f,
                "it does not start with `{RESERVED_PREFIX}`, and an expression may give such names whether they are here or not; remove it"
            ),
            Self::Template => {
                f.write_str("it holds `{{`, and no variables are read here; write the exact name")
            }
            Self::ControlCharacter => f.write_str("it holds a control character"),
        }
    }
}

impl std::error::Error for MayAddError {}
