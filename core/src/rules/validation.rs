//! Validations: conditions that every user must meet, whichever rule named it, as `userValidationRules` in Kubernetes'
//! AuthenticationConfiguration.

use crate::decision::{Denial, KubernetesUser};
use crate::identity::Identity;
use crate::rules::expression::{Expression, ExpressionError, ExpressionKind};

/// A condition over the user that results.
#[derive(Clone, Debug)]
pub struct Validation {
    pub(crate) expression: Expression,
    pub(crate) message: Box<str>,
}

impl Validation {
    /// Compiles `expression`; `message` is what somebody is told whom it refuses.
    ///
    /// # Errors
    /// When the expression was refused.
    pub fn compile(expression: &str, message: &str) -> Result<Self, ExpressionError> {
        Ok(Self {
            expression: Expression::compile(expression, ExpressionKind::Validation)?,
            message: message.into(),
        })
    }

    /// Lets `user` pass, or says why not. A validation that fails to run refuses.
    pub(super) fn check(&self, identity: &Identity, user: &KubernetesUser) -> Result<(), Denial> {
        match self.expression.validate(identity, user) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Denial::Validation(self.message.clone())),
            Err(error) => Err(Denial::ValidationFailed(error)),
        }
    }
}
