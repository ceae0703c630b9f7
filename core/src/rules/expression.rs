//! Expressions in rules: those of [`crate::cel`], or, in a build without it, none.

pub use crate::expression_kind::ExpressionKind;

#[cfg(feature = "cel")]
pub use crate::cel::{EvaluationError, Expression, ExpressionError};

#[cfg(not(feature = "cel"))]
pub use disabled::{EvaluationError, Expression, ExpressionError};

/// The stub of expressions in a build without CEL: nothing compiles, so nothing is evaluated.
#[cfg(not(feature = "cel"))]
mod disabled {
    use crate::expression_kind::ExpressionKind;
    use crate::identity::Identity;
    use crate::kubernetes_user::KubernetesUser;

    /// There is none.
    #[derive(Clone, Debug)]
    pub enum Expression {}

    /// This build has no CEL.
    #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
    #[error("this build has no CEL; use one with the feature `cel`")]
    pub struct ExpressionError;

    /// There is none.
    #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
    pub enum EvaluationError {}

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

        /// Never called.
        pub(crate) fn validate_operand(
            &self,
            _: u64,
            _: &Identity,
            _: &KubernetesUser,
        ) -> Option<Result<bool, EvaluationError>> {
            match *self {}
        }
    }
}
