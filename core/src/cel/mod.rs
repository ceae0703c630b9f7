//! Conditions, names and validations written in CEL (the Common Expression Language).
//!
//! A rule can use expressions over `identity` as its condition, its username and its groups. A validation is an
//! expression over `identity` and the resulting `user`, and can refuse that user. An expression is compiled once, when
//! its rule is loaded, and is then evaluated for each login.
//!
//! An expression is refused when it is loaded if its cost has no bound. Three modules check this: `scan` the tokens,
//! `check` the names and types, and `cost` the maximum cost. The reasons are in
//! [`crate::manual::bounded_expressions`].
//!
//! An evaluation can then fail only because an index or a position is out of range, an integer overflows, or the
//! identity, the user or the result exceeds a size limit.
//!
//! The types are `string`, lists of strings, `bool`, and `int` for sizes and indices.

mod check;
mod check_error;
mod cost;
mod error;
mod evaluate;
mod functions;
mod limits;
mod parse;
mod scan;
pub mod syntax;
mod types;
mod variables;

use self::syntax::IdedExpr;
use crate::identity::Identity;
use crate::kubernetes_user::KubernetesUser;

pub use crate::expression_kind::ExpressionKind;
pub use error::{EvaluationError, ExpressionError, ExpressionPosition, Reason, SymbolKind};
pub use limits::{MAX_GROUP_BYTES, MAX_GROUPS, MAX_NAME_BYTES, MAX_SOURCE_BYTES};
pub use types::ValueType;

impl ExpressionKind {
    /// Returns the type of the result that an expression of this kind must have.
    #[must_use]
    pub const fn result_type(self) -> ValueType {
        match self {
            Self::Condition | Self::Validation => ValueType::Bool,
            Self::Username => ValueType::String,
            Self::Groups => ValueType::Strings,
        }
    }

    /// Returns the name for messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Condition => "condition",
            Self::Username => "username",
            Self::Groups => "groups",
            Self::Validation => "validation",
        }
    }
}

/// A compiled expression. Only [`Self::compile`] creates one, so that every evaluated tree has been checked.
#[derive(Clone, Debug)]
pub struct Expression {
    kind: ExpressionKind,
    // Boxed, because a rule has room for three expressions, and most rules have none.
    tree: Box<IdedExpr>,
    source: Box<str>,
}

impl Expression {
    /// Compiles `source` as an expression of the kind `kind`.
    ///
    /// # Errors
    /// Returns the position and the reason: the syntax is wrong, a name is unknown, types do not match, or a limit is
    /// exceeded.
    pub fn compile(source: &str, kind: ExpressionKind) -> Result<Self, ExpressionError> {
        scan::scan(source)?;
        let tree = parse::parse(source)?;
        check::check(source, &tree, kind)?;
        Ok(Self {
            kind,
            tree: Box::new(tree),
            source: source.into(),
        })
    }

    /// Returns the source of the expression.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns the kind of the expression.
    #[must_use]
    pub fn kind(&self) -> ExpressionKind {
        self.kind
    }

    /// Returns the syntax tree, for analysis.
    #[must_use]
    pub fn tree(&self) -> &IdedExpr {
        &self.tree
    }

    /// Returns whether `identity` meets the [condition](ExpressionKind::Condition).
    ///
    /// # Errors
    /// The evaluation fails. The rule then does not match.
    pub fn evaluate_condition(&self, identity: &Identity) -> Result<bool, EvaluationError> {
        self.ensure_kind(ExpressionKind::Condition)?;
        evaluate::evaluate(&self.tree, identity, None, evaluate::read_bool)
    }

    /// Returns the [username](ExpressionKind::Username) of `identity`. It may be empty, and may contain any character.
    ///
    /// # Errors
    /// The evaluation fails, or the username is too long.
    pub fn evaluate_username(&self, identity: &Identity) -> Result<String, EvaluationError> {
        self.ensure_kind(ExpressionKind::Username)?;
        evaluate::evaluate(&self.tree, identity, None, evaluate::read_username)
    }

    /// Returns the [groups](ExpressionKind::Groups) of `identity`. Their names may be empty or equal, and may contain
    /// any character.
    ///
    /// # Errors
    /// The evaluation fails, or the groups are too many or too long.
    pub fn evaluate_groups(&self, identity: &Identity) -> Result<Vec<String>, EvaluationError> {
        self.ensure_kind(ExpressionKind::Groups)?;
        evaluate::evaluate(&self.tree, identity, None, evaluate::read_groups)
    }

    /// Returns whether the [validation](ExpressionKind::Validation) lets `identity` log in as `user`.
    ///
    /// # Errors
    /// The evaluation fails. The login is then refused.
    pub fn validate(
        &self,
        identity: &Identity,
        user: &KubernetesUser,
    ) -> Result<bool, EvaluationError> {
        self.ensure_kind(ExpressionKind::Validation)?;
        evaluate::evaluate(&self.tree, identity, Some(user), evaluate::read_bool)
    }

    /// Returns whether the part `id` of the [validation](ExpressionKind::Validation) is true for `identity` and `user`.
    /// Returns `None` if `id` is not an [operand](syntax::find_operand) of the [tree](Self::tree).
    pub(crate) fn validate_operand(
        &self,
        id: u64,
        identity: &Identity,
        user: &KubernetesUser,
    ) -> Option<Result<bool, EvaluationError>> {
        let operand = syntax::find_operand(&self.tree, id)?;
        Some(
            self.ensure_kind(ExpressionKind::Validation).and_then(|()| {
                evaluate::evaluate(operand, identity, Some(user), evaluate::read_bool)
            }),
        )
    }

    fn ensure_kind(&self, requested: ExpressionKind) -> Result<(), EvaluationError> {
        if self.kind == requested {
            Ok(())
        } else {
            Err(EvaluationError::WrongKind {
                requested,
                actual: self.kind,
            })
        }
    }
}
