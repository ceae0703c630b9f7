//! Errors of expressions, at load and at evaluation.

use std::fmt;

use super::limits::{
    MAX_COST, MAX_DEPTH, MAX_GROUP_BYTES, MAX_GROUPS, MAX_IDENTITY_NAME_BYTES, MAX_NAME_BYTES,
    MAX_NESTING, MAX_NODES, MAX_OPERATORS, MAX_SOURCE_BYTES, MAX_UID_BYTES,
};
use super::types::ValueType;
use crate::expression_kind::ExpressionKind;

/// Why an expression was refused when it was loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {reason}", .position.line, .position.column)]
pub struct ExpressionError {
    /// Where.
    pub position: ExpressionPosition,
    /// Why.
    pub reason: Reason,
}

/// A position in the source of an expression, in lines and characters from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpressionPosition {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl ExpressionPosition {
    /// Returns the position of the byte `offset` in `source`.
    pub(super) fn from_offset(source: &str, offset: usize) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let in_line = before.get(line_start..).unwrap_or_default();
        Self {
            line: before.matches('\n').count() + 1,
            column: in_line.chars().count() + 1,
        }
    }
}

/// What is wrong with an expression. Texts in it are parts of the expression's source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There is nothing but space and comments.
    Empty,
    /// It is longer than [`MAX_SOURCE_BYTES`].
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// It has more operators, calls and brackets than an expression may.
    TooManyOperators,
    /// Brackets stand too deep in brackets.
    TooNested,
    /// The parsed tree is too deep.
    TooDeep,
    /// The parsed tree is too large.
    TooLarge,
    /// Evaluating it could take too long, or too much memory.
    TooCostly {
        /// Up to how much, in the units of the limit.
        cost: u64,
    },
    /// A loop over a list stands inside another.
    NestedLoop,
    /// It is not CEL.
    Syntax(Box<str>),
    /// It is CEL of a sort that is not taken here.
    Unsupported(&'static str),
    /// A name that is not known.
    Unknown {
        /// The kind of symbol that was expected.
        what: SymbolKind,
        /// The name.
        name: Box<str>,
        /// The known name that is like it.
        nearest: Option<Box<str>>,
        /// The names there are.
        known: Vec<Box<str>>,
    },
    /// `user` outside a validation.
    UserOutsideValidation,
    /// `identity` or `user` without a field.
    MissingField(&'static str),
    /// The variable of a loop shadows `identity` or `user`.
    ShadowedName(Box<str>),
    /// A function is called with arguments, or on a value, of the wrong types.
    WrongArguments {
        /// How it is used.
        usage: &'static str,
    },
    /// A value of the wrong type.
    WrongType {
        /// What is taken there.
        expected: ValueType,
        /// What it is.
        found: ValueType,
    },
    /// A value of a type that the operator does not take.
    WrongOperand {
        /// What it takes.
        expected: &'static str,
        /// What it is.
        found: ValueType,
    },
}

/// The kinds of symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymbolKind {
    /// A variable.
    Variable,
    /// A field of the variable.
    FieldOf(&'static str),
    /// A function.
    Function,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the expression is empty"),
            Self::TooLong { bytes } => write!(
                f,
                "the expression is {bytes} bytes long; it may be {MAX_SOURCE_BYTES}"
            ),
            Self::TooManyOperators => write!(
                f,
                "too many operators, calls and brackets; an expression may have {MAX_OPERATORS}"
            ),
            Self::TooNested => write!(
                f,
                "brackets in brackets, deeper than {MAX_NESTING}"
            ),
            Self::TooDeep => write!(
                f,
                "operators and calls build on each other, deeper than {}",
                MAX_DEPTH
            ),
            Self::TooLarge => write!(
                f,
                "the expression is too large: it may have {} parts, and a loop counts for several",
                MAX_NODES
            ),
            Self::TooCostly { cost } => write!(
                f,
                "evaluating it could cost {cost} units for a long identity, and {MAX_COST} are allowed; use shorter lists, or fewer `split`, `replace` and loops"
            ),
            Self::NestedLoop => f.write_str(
                "`all`, `exists`, `exists_one`, `filter` and `map` cannot stand inside each other; they may follow each other",
            ),
            // It quotes the source, and logs and terminals obey control characters.
            Self::Syntax(message) => message.chars().try_for_each(|character| {
                if character.is_control() {
                    write!(f, "{}", character.escape_default())
                } else {
                    write!(f, "{character}")
                }
            }),
            Self::Unsupported(what) => write!(f, "{what} cannot be used here"),
            Self::Unknown {
                what,
                name,
                nearest,
                known,
            } => {
                match what {
                    SymbolKind::Variable => write!(f, "there is no variable `{name}`")?,
                    SymbolKind::FieldOf(variable) => write!(f, "`{variable}` has no field `{name}`")?,
                    SymbolKind::Function => write!(f, "there is no function `{name}`")?,
                }
                if let Some(nearest) = nearest {
                    write!(f, ", perhaps `{nearest}`")?;
                }
                write!(f, "; known are: {}", known.join(", "))
            }
            Self::UserOutsideValidation => f.write_str("`user` is known to validations only"),
            Self::MissingField(name) => write!(f, "`{name}` is of use only with one of its fields"),
            Self::ShadowedName(name) => write!(
                f,
                "`{name}` cannot be the variable of a loop: it has a meaning already"
            ),
            Self::WrongArguments { usage } => write!(f, "it is used as {usage}"),
            Self::WrongType { expected, found } => write!(f, "expected {expected}, found {found}"),
            Self::WrongOperand { expected, found } => write!(f, "expected {expected}, found {found}"),
        }
    }
}

/// Why an expression gave no result for an identity. It holds nothing of what the identity holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// The expression was compiled for another purpose.
    #[error(
        "the expression is for a {}, not for a {}",
        .actual.name(),
        .requested.name()
    )]
    WrongKind {
        /// The purpose that was requested.
        requested: ExpressionKind,
        /// The purpose it was compiled for.
        actual: ExpressionKind,
    },
    /// A name or an id of the identity is longer than expressions take.
    #[error("the identity has a name or an id of more than {MAX_IDENTITY_NAME_BYTES} bytes")]
    IdentityTooLong,
    /// The user has more or longer groups, or a longer name or uid, than expressions take.
    #[error(
        "the user has more than {MAX_GROUPS} groups, or one of more than {MAX_GROUP_BYTES} bytes, or a name of more than {MAX_NAME_BYTES}, or a uid of more than {MAX_UID_BYTES}"
    )]
    UserTooLong,
    /// An index lies outside its list.
    #[error("an index lies outside its list")]
    IndexOutOfBounds,
    /// A function was given a number that lies outside its text.
    #[error("`{function}` was given a position outside the text")]
    PositionOutOfText {
        /// The function.
        function: &'static str,
    },
    /// A number grew too large.
    #[error("a number is too large")]
    Overflow,
    /// The username or a group is too long.
    #[error("the result has a name of {bytes} bytes; it may have {limit}")]
    NameTooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// There are too many groups.
    #[error("the result has {groups} groups; it may have {MAX_GROUPS}")]
    TooManyGroups {
        /// How many there are.
        groups: usize,
    },
    /// The evaluator met what the checks at load should have excluded.
    #[error("the evaluator failed")]
    UnexpectedFailure,
}
