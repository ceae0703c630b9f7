//! Expressions in rules: those of [`crate::cel`], or, in a build without it, none.

#[cfg(feature = "cel")]
pub use crate::cel::{EvaluationError, Expression, ExpressionError};

#[cfg(not(feature = "cel"))]
pub use disabled::{EvaluationError, Expression, ExpressionError};

/// The kind of an expression, which decides its result type and its variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpressionKind {
    /// Whether a rule matches: a `bool` over `identity`.
    Condition,
    /// A username: a `string` over `identity`.
    Username,
    /// Groups: a list of strings over `identity`.
    Groups,
    /// Whether the user that results may log in: a `bool` over `identity` and `user`.
    Validation,
}

/// The stub of expressions in a build without CEL: nothing compiles, so nothing is evaluated.
#[cfg(not(feature = "cel"))]
mod disabled {
    use std::fmt;

    use super::ExpressionKind;
    use crate::decision::KubernetesUser;
    use crate::identity::Identity;

    /// There is none.
    #[derive(Clone, Debug)]
    pub enum Expression {}

    /// This build has no CEL.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ExpressionError;

    impl fmt::Display for ExpressionError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("this build has no CEL; use one with the feature `cel`")
        }
    }

    /// There is none.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum EvaluationError {}

    impl fmt::Display for EvaluationError {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            match *self {}
        }
    }

    impl Expression {
        /// Refuses.
        ///
        /// # Errors
        /// Always.
        pub fn compile(_: &str, _: ExpressionKind) -> Result<Self, ExpressionError> {
            Err(ExpressionError)
        }

        /// Never called.
        #[must_use]
        pub fn source(&self) -> &str {
            match *self {}
        }

        /// Never called.
        ///
        /// # Errors
        /// Never.
        pub fn evaluate_condition(&self, _: &Identity) -> Result<bool, EvaluationError> {
            match *self {}
        }

        /// Never called.
        ///
        /// # Errors
        /// Never.
        pub fn evaluate_username(&self, _: &Identity) -> Result<String, EvaluationError> {
            match *self {}
        }

        /// Never called.
        ///
        /// # Errors
        /// Never.
        pub fn evaluate_groups(&self, _: &Identity) -> Result<Vec<String>, EvaluationError> {
            match *self {}
        }

        /// Never called.
        ///
        /// # Errors
        /// Never.
        pub fn validate(&self, _: &Identity, _: &KubernetesUser) -> Result<bool, EvaluationError> {
            match *self {}
        }
    }
}
