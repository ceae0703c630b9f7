//! Validations: conditions that every user must meet, whichever rule named it, as `userValidationRules` in Kubernetes'
//! AuthenticationConfiguration.

use crate::identity::Identity;
use crate::kubernetes_user::KubernetesUser;
use crate::rules::expression::{EvaluationError, Expression, ExpressionError, ExpressionKind};
use crate::rules::naming::ResolvedNames;
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

    /// Returns whether the part `id` of the condition, which its syntax tree names, would hold for a login of `identity`
    /// as `names`. `None` for a part that is no condition of its own. The result grants nothing.
    pub fn preview_operand(
        &self,
        id: u64,
        identity: &Identity,
        (username, groups): &ResolvedNames,
    ) -> Option<Result<bool, EvaluationError>> {
        let user = KubernetesUser::new(identity, username.clone(), groups.clone(), false);
        self.expression.validate_operand(id, identity, &user)
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
