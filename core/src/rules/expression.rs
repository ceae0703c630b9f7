//! Expressions in rules: those of [`crate::cel`], or, in a build without it, none.

#[cfg(feature = "cel")]
pub use crate::cel::{EvaluationError, Expression, ExpressionError};

#[cfg(not(feature = "cel"))]
pub use absent::{EvaluationError, Expression, ExpressionError};

/// What an expression is for: this decides its type, and the variables it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whether a rule matches: a `bool` over `identity`.
    Condition,
    /// A username: a `string` over `identity`.
    Username,
    /// Groups: a list of strings over `identity`.
    Groups,
    /// Whether the user that results may log in: a `bool` over `identity` and `user`.
    Validation,
}

/// What stands in for expressions in a build without them: nothing compiles, so nothing is ever evaluated.
#[cfg(not(feature = "cel"))]
mod absent {
    use std::fmt;

    use super::Kind;
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
        pub fn compile(_: &str, _: Kind) -> Result<Self, ExpressionError> {
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
        pub fn evaluate_name(&self, _: &Identity) -> Result<String, EvaluationError> {
            match *self {}
        }

        /// Never called.
        ///
        /// # Errors
        /// Never.
        pub fn evaluate_names(&self, _: &Identity) -> Result<Vec<String>, EvaluationError> {
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
