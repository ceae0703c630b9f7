//! Expressions in rules: the expressions of the module `cel`, or stubs in a build without CEL.

pub use crate::expression_kind::ExpressionKind;

#[cfg(feature = "cel")]
pub use crate::cel::{EvaluationError, Expression, ExpressionError};

#[cfg(not(feature = "cel"))]
pub use disabled::{EvaluationError, Expression, ExpressionError};

/// The stubs of a build without CEL. No expression compiles, so none is evaluated.
#[cfg(not(feature = "cel"))]
mod disabled {
    use crate::expression_kind::ExpressionKind;
    use crate::identity::Identity;
    use crate::kubernetes_user::KubernetesUser;

    /// An expression. The type has no values, because no expression compiles.
    #[derive(Clone, Debug)]
    pub enum Expression {}

    /// The error of every compilation.
    #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
    #[error("this build does not support CEL; use a build with the feature `cel`")]
    pub struct ExpressionError;

    /// The error of an evaluation. The type has no values, because no expression is evaluated.
    #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
    pub enum EvaluationError {}

    impl Expression {
        /// Refuses every expression.
        ///
        /// # Errors
        /// Always returns an error.
        pub fn compile(_: &str, _: ExpressionKind) -> Result<Self, ExpressionError> {
            Err(ExpressionError)
        }

        /// Cannot be called, because the type has no values.
        #[must_use]
        pub fn source(&self) -> &str {
            match *self {}
        }

        /// Cannot be called, because the type has no values.
        ///
        /// # Errors
        /// Never.
        pub fn evaluate_condition(&self, _: &Identity) -> Result<bool, EvaluationError> {
            match *self {}
        }

        /// Cannot be called, because the type has no values.
        ///
        /// # Errors
        /// Never.
        pub fn evaluate_username(&self, _: &Identity) -> Result<String, EvaluationError> {
            match *self {}
        }

        /// Cannot be called, because the type has no values.
        ///
        /// # Errors
        /// Never.
        pub fn evaluate_groups(&self, _: &Identity) -> Result<Vec<String>, EvaluationError> {
            match *self {}
        }

        /// Cannot be called, because the type has no values.
        ///
        /// # Errors
        /// Never.
        pub fn validate(&self, _: &Identity, _: &KubernetesUser) -> Result<bool, EvaluationError> {
            match *self {}
        }

        /// Cannot be called, because the type has no values.
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
