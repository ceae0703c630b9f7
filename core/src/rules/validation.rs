//! Validations: conditions that every user must meet, independent of the rule that produced the user. They correspond
//! to `userValidationRules` in the AuthenticationConfiguration of Kubernetes.

use crate::identity::Identity;
use crate::kubernetes_user::KubernetesUser;
use crate::rules::expression::{EvaluationError, Expression, ExpressionError, ExpressionKind};
use crate::rules::naming::ResolvedNames;
use crate::rules::refusal::RulesRefusal;

/// A condition that every user must meet.
#[derive(Clone, Debug)]
pub struct Validation {
    expression: Expression,
    message: Box<str>,
}

impl Validation {
    /// Compiles `expression`. Users that the validation refuses get `message` as the reason.
    ///
    /// # Errors
    /// Returns the reason why the expression is refused.
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

    /// Returns the message for a user that the validation refuses.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns whether the part `id` of the condition would be true for a login of `identity` as `names`. The IDs are
    /// those of the syntax tree. Returns `None` if the part is not a condition itself. The result grants no access.
    pub fn preview_operand(
        &self,
        id: u64,
        identity: &Identity,
        (username, groups): &ResolvedNames,
    ) -> Option<Result<bool, EvaluationError>> {
        let user = KubernetesUser::new(identity, username.clone(), groups.clone(), false);
        self.expression.validate_operand(id, identity, &user)
    }

    /// Checks `user`. Returns a refusal if the condition is false or cannot be evaluated.
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
