//! Validations: conditions that every user must meet, whichever rule named it, as `userValidationRules` in Kubernetes'
//! AuthenticationConfiguration.

use crate::decision::{Denial, KubernetesUser};
use crate::identity::Identity;
use crate::rules::expression::{Expression, ExpressionError, ExpressionKind};

/// A condition that every resulting user must meet.
#[derive(Clone, Debug)]
pub struct Validation {
    pub(crate) expression: Expression,
    pub(crate) message: Box<str>,
}

impl Validation {
    /// Compiles `expression`; `message` is the reason for a user that it refuses.
    ///
    /// # Errors
    /// Returns why the expression was refused.
    pub fn compile(expression: &str, message: &str) -> Result<Self, ExpressionError> {
        Ok(Self {
            expression: Expression::compile(expression, ExpressionKind::Validation)?,
            message: message.into(),
        })
    }

    /// Checks `user`. Returns a denial if the condition does not hold or cannot be evaluated.
    pub(super) fn check(&self, identity: &Identity, user: &KubernetesUser) -> Result<(), Denial> {
        match self.expression.validate(identity, user) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Denial::ValidationRefused(self.message.clone())),
            Err(error) => Err(Denial::ValidationFailed(error)),
        }
    }
}
