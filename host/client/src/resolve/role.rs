//! Roles to assume: the parameters, and the role that the command line or the configuration file asks for.

use ack_ram_core::sts::{ExternalId, RoleArn, SessionPolicy, SessionSeconds};

use crate::environment::Environment;
use crate::error::SetupError;
use crate::origin::{Origin, Setting};
use crate::plan::{AssumeRolePlan, Plan, RoleSessionName, RoleSettings};
use crate::resolve::endpoint::EndpointSettings;
use crate::resolve::values::Values;
use crate::resolve::{Inputs, session_name};
use crate::settings::SessionSettings;

/// Wraps `plan` in the role that is asked for, and applies the settings of its session. Without such a role, the
/// settings apply to the role that the plan assumes last. `profile` is the profile that is selected, if there is one.
pub(super) fn add_requested_role(
    inputs: &Inputs<'_>,
    plan: Plan,
    profile: Option<&Values<'_>>,
) -> Result<Plan, SetupError> {
    let settings = inputs.settings;
    if let (Some(name), true) = (&settings.session.name, settings.session.forward_name) {
        let forward = Origin::Option("--forward-session-name");
        return Err(SetupError::Conflict(name.origin.clone(), forward));
    }
    match &settings.role {
        None => apply(&settings.session, plan),
        Some(role) => assume(inputs, plan, role, profile),
    }
}

fn assume(
    inputs: &Inputs<'_>,
    source: Plan,
    role: &Setting<RoleArn>,
    profile: Option<&Values<'_>>,
) -> Result<Plan, SetupError> {
    let settings = &inputs.settings.session;
    let default_name = &inputs.settings.default_session_name;
    let name = match &settings.name {
        Some(name) => RoleSessionName::Given(name.clone()),
        None if settings.forward_name => RoleSessionName::Forwarded,
        None => RoleSessionName::Given(session_name::from_environment(
            inputs.environment,
            default_name,
        )?),
    };
    let external_id = match &settings.external_id {
        Some(id) => Some(id.clone()),
        None => external_id_variable(inputs.environment)?,
    };
    let endpoints = EndpointSettings::collect(inputs.settings, inputs.environment);
    Ok(Plan::AssumeRole(Box::new(AssumeRolePlan {
        source,
        session: RoleSettings {
            role: role.clone(),
            seconds: settings.seconds.clone(),
            policy: settings.policy.clone(),
            endpoint: endpoints.endpoint_for(profile)?,
        },
        name,
        external_id,
    })))
}

/// Applies the options of a session to the role that the plan assumes last.
fn apply(settings: &SessionSettings, mut plan: Plan) -> Result<Plan, SetupError> {
    let Some(option) = settings.given_option() else {
        return Ok(plan);
    };
    let session = match &mut plan {
        Plan::AssumeRole(plan) => {
            if let Some(name) = &settings.name {
                plan.name = RoleSessionName::Given(name.clone());
            }
            if settings.forward_name {
                plan.name = RoleSessionName::Forwarded;
            }
            if settings.external_id.is_some() {
                plan.external_id.clone_from(&settings.external_id);
            }
            &mut plan.session
        }
        Plan::Oidc(plan) => {
            if settings.forward_name {
                return Err(SetupError::NotForOidc("--forward-session-name"));
            }
            if settings.external_id.is_some() {
                return Err(SetupError::NotForOidc("--external-id"));
            }
            if let Some(name) = &settings.name {
                plan.name = name.clone();
            }
            &mut plan.session
        }
        Plan::Key(_)
        | Plan::Metadata(_)
        | Plan::Url(_)
        | Plan::Process(_)
        | Plan::CloudSso(_)
        | Plan::OAuth(_) => return Err(SetupError::NoRole(option)),
    };
    if settings.seconds.is_some() {
        session.seconds.clone_from(&settings.seconds);
    }
    if settings.policy.is_some() {
        session.policy.clone_from(&settings.policy);
    }
    Ok(plan)
}

/// Reads the session that a profile or section asks for. `names` are its names there.
pub(super) fn settings(
    values: &Values<'_>,
    names: &RoleNames,
    endpoints: &EndpointSettings,
) -> Result<RoleSettings, SetupError> {
    Ok(RoleSettings {
        role: parse_arn(&values.required(names.role)?)?,
        seconds: values
            .number(names.seconds)?
            .map(|seconds| parse_seconds(&seconds))
            .transpose()?,
        policy: values
            .text("policy")?
            .map(|policy| parse_policy(&policy))
            .transpose()?,
        endpoint: endpoints.endpoint_for(Some(values))?,
    })
}

/// The names of the parameters of a role in a kind of file.
pub(super) struct RoleNames {
    pub(super) role: &'static str,
    pub(super) session_name: &'static str,
    pub(super) seconds: &'static str,
}

/// Names in a profile of the CLI.
pub(super) const PROFILE_NAMES: RoleNames = RoleNames {
    role: "ram_role_arn",
    session_name: "ram_session_name",
    seconds: "expired_seconds",
};

/// Names in an INI file.
pub(super) const SECTION_NAMES: RoleNames = RoleNames {
    role: "role_arn",
    session_name: "role_session_name",
    seconds: "role_session_expiration",
};

/// Parses the ARN of a role.
pub(super) fn parse_arn(role: &Setting<&str>) -> Result<Setting<RoleArn>, SetupError> {
    match RoleArn::parse(role.value) {
        Ok(arn) => Ok(Setting::new(arn, role.origin.clone())),
        Err(error) => Err(SetupError::RoleArn {
            place: role.origin.clone(),
            error,
        }),
    }
}

/// Returns the external ID of a role that has none of its own. The Alibaba Cloud CLI reads the same variable.
pub(super) fn external_id_variable(
    environment: &Environment,
) -> Result<Option<Setting<ExternalId>>, SetupError> {
    const VARIABLE: &str = "ALIBABA_CLOUD_EXTERNAL_ID";
    let id = environment.get(VARIABLE);
    id.map(|id| parse_external_id(&Setting::new(id, Origin::Variable(VARIABLE))))
        .transpose()
}

/// Parses an external ID.
pub(super) fn parse_external_id(id: &Setting<&str>) -> Result<Setting<ExternalId>, SetupError> {
    form(id, "external ID", ExternalId::GRAMMAR, ExternalId::parse)
}

fn parse_policy(policy: &Setting<&str>) -> Result<Setting<SessionPolicy>, SetupError> {
    form(
        policy,
        "session policy",
        SessionPolicy::GRAMMAR,
        SessionPolicy::parse,
    )
}

fn parse_seconds(seconds: &Setting<u64>) -> Result<Setting<SessionSeconds>, SetupError> {
    let parsed = u32::try_from(seconds.value).ok();
    match parsed.and_then(SessionSeconds::new) {
        Some(value) => Ok(Setting::new(value, seconds.origin.clone())),
        None => Err(SetupError::Form {
            place: seconds.origin.clone(),
            what: "lifetime of a session",
            form: "900 to 43,200 seconds",
        }),
    }
}

fn form<T>(
    text: &Setting<&str>,
    what: &'static str,
    form: &'static str,
    parse: fn(&str) -> Option<T>,
) -> Result<Setting<T>, SetupError> {
    match parse(text.value) {
        Some(value) => Ok(Setting::new(value, text.origin.clone())),
        None => Err(SetupError::Form {
            place: text.origin.clone(),
            what,
            form,
        }),
    }
}
