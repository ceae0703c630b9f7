//! Validations: conditions that every user must meet, whichever rule named it, as `userValidationRules` in Kubernetes'
//! AuthenticationConfiguration.

use crate::identity::Identity;
use crate::kubernetes_user::KubernetesUser;
use crate::rules::expression::{Expression, ExpressionError, ExpressionKind};
use crate::rules::refusal::RulesRefusal;

/// A condition that every resulting user must meet.
#[derive(Clone, Debug)]
pub struct Validation {
    expression: Expression,
    message: Box<str>,
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

    /// Returns the condition.
    #[must_use]
    pub fn expression(&self) -> &Expression {
        &self.expression
    }

    /// Returns the reason for a user that the condition refuses.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Checks `user`. Returns a refusal if the condition does not hold or cannot be evaluated.
    pub(super) fn check(
        &self,
        identity: &Identity,
        user: &KubernetesUser,
    ) -> Result<(), RulesRefusal> {
        match self.expression.validate(identity, user) {
            Ok(true) => Ok(()),
            Ok(false) => Err(RulesRefusal::Validation(self.message.clone())),
            Err(error) => Err(RulesRefusal::ValidationFailed(error)),
        }
    }
}
