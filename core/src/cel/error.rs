//! The errors of expressions, when they are loaded and when they are evaluated.

use std::fmt;

use super::limits::{
    MAX_COST, MAX_DEPTH, MAX_GROUP_BYTES, MAX_GROUPS, MAX_IDENTITY_NAME_BYTES, MAX_NAME_BYTES,
    MAX_NESTING, MAX_NODES, MAX_OPERATORS, MAX_SOURCE_BYTES, MAX_UID_BYTES,
};
use super::types::ValueType;
use crate::expression_kind::ExpressionKind;

/// The reason why an expression is refused when it is loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {reason}", .position.line, .position.column)]
pub struct ExpressionError {
    /// The position of the error.
    pub position: ExpressionPosition,
    /// The reason.
    pub reason: Reason,
}

/// A position in the source of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpressionPosition {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
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

/// The defect of an expression. Names in it come from the source of the expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The expression contains only space and comments.
    Empty,
    /// The expression is longer than [`MAX_SOURCE_BYTES`].
    TooLong {
        /// The length in bytes.
        bytes: usize,
    },
    /// The expression has too many operators, calls and brackets.
    TooManyOperators,
    /// Brackets are nested too deep.
    TooNested,
    /// The parsed tree is too deep.
    TooDeep,
    /// The parsed tree is too large.
    TooLarge,
    /// The evaluation could take too much time or memory.
    TooCostly {
        /// The maximum cost, in the units of the limit.
        cost: u64,
    },
    /// A loop over a list is inside another loop.
    NestedLoop,
    /// The syntax is not valid CEL.
    Syntax(Box<str>),
    /// The expression uses a part of CEL that is not supported.
    Unsupported(&'static str),
    /// A name is unknown.
    Unknown {
        /// The kind of symbol that was expected.
        what: SymbolKind,
        /// The name.
        name: Box<str>,
        /// A similar known name.
        nearest: Option<Box<str>>,
        /// The known names.
        known: Vec<Box<str>>,
    },
    /// `user` is used outside a validation.
    UserOutsideValidation,
    /// `identity` or `user` is used without a field.
    MissingField(&'static str),
    /// The variable of a loop shadows `identity` or `user`.
    ShadowedName(Box<str>),
    /// A function is called with arguments or a receiver of the wrong types.
    WrongArguments {
        /// The correct usage of the function.
        usage: &'static str,
    },
    /// A value has the wrong type.
    WrongType {
        /// The expected type.
        expected: ValueType,
        /// The type of the value.
        found: ValueType,
    },
    /// A value has a type that the operator does not accept.
    WrongOperand {
        /// The types that the operator accepts.
        expected: &'static str,
        /// The type of the value.
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
                "the expression has {bytes} bytes, but the limit is {MAX_SOURCE_BYTES} bytes"
            ),
            Self::TooManyOperators => write!(
                f,
                "too many operators, calls and brackets: the limit is {MAX_OPERATORS}"
            ),
            Self::TooNested => write!(
                f,
                "brackets are nested deeper than {MAX_NESTING} levels"
            ),
            Self::TooDeep => write!(
                f,
                "operators and calls are nested deeper than {} levels",
                MAX_DEPTH
            ),
            Self::TooLarge => write!(
                f,
                "the expression is too large: the limit is {} parts, and a loop counts as several parts",
                MAX_NODES
            ),
            Self::TooCostly { cost } => write!(
                f,
                "the expression could cost {cost} units for a long identity, but the limit is {MAX_COST}; use shorter lists, or fewer `split`, `replace` and loops"
            ),
            Self::NestedLoop => f.write_str(
                "`all`, `exists`, `exists_one`, `filter` and `map` cannot be nested; call one after the other",
            ),
            // The message quotes the source. Escape control characters, which logs and terminals interpret.
            Self::Syntax(message) => message.chars().try_for_each(|character| {
                if character.is_control() {
                    write!(f, "{}", character.escape_default())
                } else {
                    write!(f, "{character}")
                }
            }),
            Self::Unsupported(what) => write!(f, "{what} is not supported"),
            Self::Unknown {
                what,
                name,
                nearest,
                known,
            } => {
                match what {
                    SymbolKind::Variable => write!(f, "unknown variable `{name}`")?,
                    SymbolKind::FieldOf(variable) => write!(f, "unknown field `{name}` of `{variable}`")?,
                    SymbolKind::Function => write!(f, "unknown function `{name}`")?,
                }
                if let Some(nearest) = nearest {
                    write!(f, " (did you mean `{nearest}`?)")?;
                }
                write!(f, "; known names: {}", known.join(", "))
            }
            Self::UserOutsideValidation => f.write_str("`user` is available only in validations"),
            Self::MissingField(name) => write!(f, "`{name}` can be used only with one of its fields"),
            Self::ShadowedName(name) => write!(
                f,
                "`{name}` is already defined; choose another name for the variable of the loop"
            ),
            Self::WrongArguments { usage } => write!(f, "wrong arguments, expected {usage}"),
            Self::WrongType { expected, found } => write!(f, "expected {expected}, found {found}"),
            Self::WrongOperand { expected, found } => write!(f, "expected {expected}, found {found}"),
        }
    }
}

/// The reason why an expression has no result for an identity. It contains no value of the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// The expression is of another kind.
    #[error(
        "expected an expression of the kind `{}`, found `{}`",
        .requested.name(),
        .actual.name()
    )]
    WrongKind {
        /// The requested kind.
        requested: ExpressionKind,
        /// The kind of the expression.
        actual: ExpressionKind,
    },
    /// A name or an ID of the identity is too long.
    #[error("a name or an ID of the identity has more than {MAX_IDENTITY_NAME_BYTES} bytes")]
    IdentityTooLong,
    /// The user has too many groups, or a group, the username or the uid is too long.
    #[error(
        "the user exceeds a limit: {MAX_GROUPS} groups, {MAX_GROUP_BYTES} bytes per group, {MAX_NAME_BYTES} bytes for the username, {MAX_UID_BYTES} bytes for the uid"
    )]
    UserTooLong,
    /// An index is outside the list.
    #[error("an index is outside the list")]
    IndexOutOfBounds,
    /// A function was called with a position outside the text.
    #[error("`{function}` was called with a position outside the text")]
    PositionOutOfText {
        /// The name of the function.
        function: &'static str,
    },
    /// An integer overflowed.
    #[error("integer overflow")]
    Overflow,
    /// The username or a group is too long.
    #[error("the result contains a name of {bytes} bytes, but the limit is {limit} bytes")]
    NameTooLong {
        /// The length of the name.
        bytes: usize,
        /// The maximum length.
        limit: usize,
    },
    /// There are too many groups.
    #[error("the result has {groups} groups, but the limit is {MAX_GROUPS}")]
    TooManyGroups {
        /// The number of groups.
        groups: usize,
    },
    /// The evaluator failed for a reason that the checks at load should exclude.
    #[error("the evaluation failed unexpectedly")]
    UnexpectedFailure,
}
