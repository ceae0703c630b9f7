//! Conditions, names and validations written in CEL (the Common Expression Language).
//!
//! A rule may match with an expression over `identity`, compute a username or groups with one, and a validation may
//! refuse the user that results. An expression is compiled once, when its rule loads, and then evaluated for login
//! after login.
//!
//! Whoever writes rules may be somebody else than who runs the server, and the `cel` crate limits neither what its
//! parser nor what its evaluator spends. So an expression passes three gates at load, and what cannot be bounded is
//! refused there:
//!
//! 1. `scan` counts tokens before the parser, which recurses, sees any of them;
//! 2. `check` walks the parsed tree: known names only, types that fit, few nodes, no loop inside a loop;
//! 3. with it goes `cost`: the most that the expression can cost for the largest identity that is taken.
//!
//! What is left at run time are indices out of range, and results that are too long.
//!
//! Strings and lists of strings are all there is to compute with, besides `bool`, and `int` for sizes and indices.

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
    /// Returns the type that an expression of this kind must yield.
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

/// An expression, compiled. Only [`Self::compile`] makes one, so that every tree that runs has been checked.
#[derive(Clone, Debug)]
pub struct Expression {
    kind: ExpressionKind,
    // Boxed: rules have room for three expressions, and most have none.
    tree: Box<IdedExpr>,
    source: Box<str>,
}

impl Expression {
    /// Compiles `source`.
    ///
    /// # Errors
    /// Says where it is wrong and why: syntax, unknown names, types that do not fit, or a limit.
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

    /// The text that was compiled.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Returns what the expression is for.
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
    /// When the evaluation fails: the rule then does not match.
    pub fn evaluate_condition(&self, identity: &Identity) -> Result<bool, EvaluationError> {
        self.ensure_kind(ExpressionKind::Condition)?;
        evaluate::evaluate(&self.tree, identity, None, evaluate::read_bool)
    }

    /// Returns the [username](ExpressionKind::Username) of `identity`. It may be empty, and may have any character.
    ///
    /// # Errors
    /// When there is none.
    pub fn evaluate_username(&self, identity: &Identity) -> Result<String, EvaluationError> {
        self.ensure_kind(ExpressionKind::Username)?;
        evaluate::evaluate(&self.tree, identity, None, evaluate::read_username)
    }

    /// Returns the [groups](ExpressionKind::Groups) of `identity`. They may be empty or equal, and may have any character.
    ///
    /// # Errors
    /// When there are none to be had.
    pub fn evaluate_groups(&self, identity: &Identity) -> Result<Vec<String>, EvaluationError> {
        self.ensure_kind(ExpressionKind::Groups)?;
        evaluate::evaluate(&self.tree, identity, None, evaluate::read_groups)
    }

    /// Returns whether the [validation](ExpressionKind::Validation) lets `identity` log in as `user`.
    ///
    /// # Errors
    /// When the evaluation fails: the login is then refused.
    pub fn validate(
        &self,
        identity: &Identity,
        user: &KubernetesUser,
    ) -> Result<bool, EvaluationError> {
        self.ensure_kind(ExpressionKind::Validation)?;
        evaluate::evaluate(&self.tree, identity, Some(user), evaluate::read_bool)
    }

    /// Returns whether the part `id` of the [validation](ExpressionKind::Validation) holds for `identity` and `user`.
    /// `None` if `id` names no [operand](syntax::find_operand) of the [tree](Self::tree).
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
