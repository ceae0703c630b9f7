//! A plan as text, without secrets.

use serde::Serialize;

use crate::plan::{Plan, RoleSessionName};

/// The steps of a plan, from the key that is already known to the key that signs the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct PlanSummary(Vec<String>);

impl PlanSummary {
    /// Returns the steps.
    #[must_use]
    pub fn steps(&self) -> &[String] {
        &self.0
    }

    /// Returns the steps in one sentence, without a full stop.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.join(", then ")
    }
}

impl Plan {
    /// Returns the steps of the plan.
    #[must_use]
    pub fn summary(&self) -> PlanSummary {
        let mut steps = Vec::new();
        self.add_steps(&mut steps);
        PlanSummary(steps)
    }

    fn add_steps(&self, steps: &mut Vec<String>) {
        let step = match self {
            Self::Key(plan) => format!("the access key `{}` from {}", plan.key.id, plan.id_origin),
            Self::Metadata(plan) => {
                let role = match &plan.role {
                    Some(role) => format!("the role `{}`", role.value.escape_debug()),
                    None => "the only role".to_owned(),
                };
                format!(
                    "the key of {role} of this ECS instance from {}, selected by {}",
                    plan.endpoint, plan.origin
                )
            }
            Self::Url(plan) => format!("the key from {}, selected by {}", plan.url, plan.origin),
            Self::Process(plan) => {
                format!(
                    "the key that `{}` prints, selected by {}",
                    plan.program(),
                    plan.origin
                )
            }
            Self::CloudSso(plan) => format!("the CloudSSO session of {}", plan.profile),
            Self::OAuth(plan) => format!("the OAuth session of {}", plan.profile),
            Self::Oidc(plan) => format!(
                "AssumeRoleWithOIDC at {} for {} from {} with the session name `{}` and the token in `{}`",
                plan.session.endpoint.value,
                plan.session.role.value,
                plan.session.role.origin,
                plan.name.value,
                plan.token_file.value.display()
            ),
            Self::AssumeRole(plan) => {
                plan.source.add_steps(steps);
                let name = match &plan.name {
                    RoleSessionName::Given(name) => format!("the session name `{}`", name.value),
                    RoleSessionName::Forwarded => "the session name of the key".to_owned(),
                };
                format!(
                    "AssumeRole at {} for {} from {} with {name}",
                    plan.session.endpoint.value, plan.session.role.value, plan.session.role.origin
                )
            }
        };
        steps.push(step);
    }
}
