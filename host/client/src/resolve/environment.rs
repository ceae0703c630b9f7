//! Sources in the environment, in the order of ack-ram-tool.

use std::path::PathBuf;

use ack_ram_core::sts::OidcProviderArn;

use crate::environment::Environment;
use crate::error::SetupError;
use crate::finding::{Findings, Topic};
use crate::origin::{Origin, Setting};
use crate::plan::{
    AssumeRolePlan, HttpUrl, OidcPlan, Plan, RoleSessionName, RoleSettings, UrlPlan,
};
use crate::resolve::endpoint::EndpointSettings;
use crate::resolve::variables::{IDS, SECRETS, SECURITY_TOKENS};
use crate::resolve::{Inputs, ini_file, key, metadata, paths, role, session_name, switches};

const ROLE_ARN: &str = "ALIBABA_CLOUD_ROLE_ARN";
const OIDC_PROVIDER_ARN: &str = "ALIBABA_CLOUD_OIDC_PROVIDER_ARN";
const OIDC_TOKEN_FILE: &str = "ALIBABA_CLOUD_OIDC_TOKEN_FILE";
const CREDENTIALS_URI: &str = "ALIBABA_CLOUD_CREDENTIALS_URI";
const ECS_METADATA: &str = "ALIBABA_CLOUD_ECS_METADATA";
const CREDENTIALS_FILE: &str = "ALIBABA_CLOUD_CREDENTIALS_FILE";

/// The parts of an access key. As in ack-ram-tool, each part comes from the first variable that is set, whatever its
/// family.
struct Parts<'a> {
    id: Option<Setting<&'a str>>,
    secret: Option<Setting<&'a str>>,
    security_token: Option<Setting<&'a str>>,
}

impl<'a> Parts<'a> {
    fn of(environment: &'a Environment) -> Self {
        let first = |names: &[&'static str]| {
            let (name, value) = environment.first(names)?;
            Some(Setting::new(value, Origin::Variable(name)))
        };
        Self {
            id: first(&IDS),
            secret: first(&SECRETS),
            security_token: first(&SECURITY_TOKENS),
        }
    }
}

/// Makes the plan of the first source that the environment configures, with the role that is asked for; `None` if there
/// is no source.
pub(super) fn find(
    inputs: &Inputs<'_>,
    findings: &mut Findings,
) -> Result<Option<Plan>, SetupError> {
    if let Some(plan) = from_variables(inputs, findings)? {
        if let Some(name) = &inputs.settings.profile_name {
            findings.warn(
                Topic::Environment,
                format!(
                    "{} has no effect, because the environment gives the access key",
                    name.origin
                ),
                "unset the variables of the access key, or name the file of the profile with `--profile-file`",
            );
        }
        return role::add_requested_role(inputs, plan, None).map(Some);
    }
    let Some(file) = inputs.environment.get(CREDENTIALS_FILE) else {
        return Ok(None);
    };
    let path = paths::expand(file.as_ref(), inputs.environment)?;
    let path: Setting<PathBuf> = Setting::new(path, Origin::Variable(CREDENTIALS_FILE));
    ini_file::find(inputs, &path, session_name::OTHER_DEFAULT, findings)
}

/// Makes the plan of the first source that is complete in the variables.
fn from_variables(
    inputs: &Inputs<'_>,
    findings: &mut Findings,
) -> Result<Option<Plan>, SetupError> {
    let environment = inputs.environment;
    let variable = |name: &'static str| {
        let value = environment.get(name)?;
        Some(Setting::new(value, Origin::Variable(name)))
    };
    let parts = Parts::of(environment);

    if let (Some(id), Some(secret)) = (&parts.id, &parts.secret)
        && let Some(token) = &parts.security_token
    {
        if environment.get(ROLE_ARN).is_some() {
            findings.note(
                Topic::Environment,
                format!("`{ROLE_ARN}` is not used, because the access key is temporary"),
            );
        }
        return Ok(Some(Plan::Key(key::plan(id, secret, Some(token), None)?)));
    }
    let role = variable(ROLE_ARN);
    // If some of these are missing, `warn_about_parts` says so.
    if let (Some(role), Some(provider), Some(file)) = (
        &role,
        variable(OIDC_PROVIDER_ARN),
        variable(OIDC_TOKEN_FILE),
    ) {
        return oidc(inputs, role, &provider, &file).map(Some);
    }
    if let (Some(id), Some(secret)) = (&parts.id, &parts.secret) {
        let source = Plan::Key(key::plan(id, secret, None, None)?);
        return match &role {
            Some(role) => assume_role(inputs, source, role).map(Some),
            None => Ok(Some(source)),
        };
    }
    if let Some(uri) = variable(CREDENTIALS_URI) {
        return url(environment, &uri).map(Some);
    }
    let Some(role) = variable(ECS_METADATA) else {
        return Ok(None);
    };
    let plan = metadata::plan(environment, Some(&role), role.origin.clone())?;
    Ok(Some(Plan::Metadata(plan)))
}

/// Returns what the environment has, for the error about a search without a result.
pub(super) fn describe_missing(environment: &Environment) -> Vec<String> {
    let parts = Parts::of(environment);
    let key = match (parts.id, parts.secret, parts.security_token) {
        (Some(id), None, _) => Some(format!("{} is set without a secret", id.origin)),
        (None, Some(secret), _) => Some(format!("{} is set without an ID", secret.origin)),
        (None, None, Some(token)) => Some(format!(
            "{} is set without an ID and a secret",
            token.origin
        )),
        (None, None, None) | (Some(_), Some(_), _) => None,
    };
    let oidc = HalfOidc::find(environment).map(|half| half.describe());
    let texts: Vec<String> = key.into_iter().chain(oidc).collect();
    match texts.is_empty() {
        true => vec!["no key in the environment".to_owned()],
        false => texts,
    }
}

/// Makes the plan of a URL that returns a key.
pub(super) fn url(environment: &Environment, url: &Setting<&str>) -> Result<Plan, SetupError> {
    switches::check_external(environment, "a URL that returns keys", &url.origin)?;
    match HttpUrl::parse(url.value) {
        Ok(parsed) => Ok(Plan::Url(UrlPlan {
            url: parsed,
            origin: url.origin.clone(),
        })),
        Err(fault) => Err(SetupError::Url {
            place: url.origin.clone(),
            fault,
        }),
    }
}

/// Makes the plan of a role for an OIDC token.
fn oidc(
    inputs: &Inputs<'_>,
    role: &Setting<&str>,
    provider: &Setting<&str>,
    file: &Setting<&str>,
) -> Result<Plan, SetupError> {
    let path = paths::expand(file.value.as_ref(), inputs.environment)?;
    Ok(Plan::Oidc(OidcPlan {
        session: role_settings(inputs, role)?,
        name: session_name::from_environment(
            inputs.environment,
            &inputs.settings.default_session_name,
        )?,
        provider: parse_provider(provider)?,
        token_file: Setting::new(path, file.origin.clone()),
    }))
}

/// Parses the ARN of an identity provider.
pub(super) fn parse_provider(
    provider: &Setting<&str>,
) -> Result<Setting<OidcProviderArn>, SetupError> {
    match OidcProviderArn::parse(provider.value) {
        Some(arn) => Ok(Setting::new(arn, provider.origin.clone())),
        None => Err(SetupError::Form {
            place: provider.origin.clone(),
            what: "ARN of an identity provider",
            form: OidcProviderArn::GRAMMAR,
        }),
    }
}

fn assume_role(
    inputs: &Inputs<'_>,
    source: Plan,
    role: &Setting<&str>,
) -> Result<Plan, SetupError> {
    let name =
        session_name::from_environment(inputs.environment, &inputs.settings.default_session_name)?;
    Ok(Plan::AssumeRole(Box::new(AssumeRolePlan {
        source,
        session: role_settings(inputs, role)?,
        name: RoleSessionName::Given(name),
        external_id: role::external_id_variable(inputs.environment)?,
    })))
}

fn role_settings(inputs: &Inputs<'_>, role: &Setting<&str>) -> Result<RoleSettings, SetupError> {
    let endpoints = EndpointSettings::collect(inputs.settings, inputs.environment);
    Ok(RoleSettings {
        role: role::parse_arn(role)?,
        seconds: None,
        policy: None,
        endpoint: endpoints.endpoint_for(None)?,
    })
}

/// The variables of a role for an OIDC token, if only some of them are set.
struct HalfOidc {
    set: Vec<&'static str>,
    missing: Vec<&'static str>,
}

impl HalfOidc {
    /// Returns the variables; `None` if all of them are set, or none that concerns only an OIDC token.
    fn find(environment: &Environment) -> Option<Self> {
        let (set, missing): (Vec<_>, Vec<_>) = [ROLE_ARN, OIDC_PROVIDER_ARN, OIDC_TOKEN_FILE]
            .into_iter()
            .partition(|name| environment.get(name).is_some());
        let half = Self { set, missing };
        // The role alone may be for an access key.
        let is_half = !half.missing.is_empty() && half.oidc_only().next().is_some();
        is_half.then_some(half)
    }

    /// Returns the variables that are set and that no other source uses.
    fn oidc_only(&self) -> impl Iterator<Item = &'static str> {
        let set = self.set.iter().copied();
        set.filter(|name| *name != ROLE_ARN)
    }

    fn describe(&self) -> String {
        let be = if self.set.len() == 1 { "is" } else { "are" };
        let (set, missing) = (quoted(&self.set), quoted(&self.missing));
        format!("{set} {be} set without {missing}")
    }

    fn warn(&self, findings: &mut Findings) {
        let set: Vec<_> = self.oidc_only().collect();
        findings.warn(
            Topic::Environment,
            format!("{}, so no OIDC token is used", self.describe()),
            format!("set {}, or unset {}", quoted(&self.missing), quoted(&set)),
        );
    }
}

fn quoted(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(" and ")
}

/// Warns about a key or a role that is incomplete, and about a key whose parts do not belong together.
pub(super) fn warn_about_parts(environment: &Environment, findings: &mut Findings) {
    let parts = Parts::of(environment);
    let is_temporary_key =
        parts.id.is_some() && parts.secret.is_some() && parts.security_token.is_some();
    // With a temporary key, no OIDC token is looked for.
    if !is_temporary_key && let Some(half) = HalfOidc::find(environment) {
        half.warn(findings);
    }
    let family = |part: &Option<Setting<&str>>, names: &[&str]| {
        let Origin::Variable(name) = part.as_ref()?.origin else {
            return None;
        };
        names.iter().position(|known| *known == name)
    };
    let families = [
        family(&parts.id, &IDS),
        family(&parts.secret, &SECRETS),
        family(&parts.security_token, &SECURITY_TOKENS),
    ];
    let has_oidc = [ROLE_ARN, OIDC_PROVIDER_ARN, OIDC_TOKEN_FILE]
        .into_iter()
        .all(|name| environment.get(name).is_some());
    let named = |part: &Option<Setting<&str>>| part.as_ref().map(|part| part.origin.to_string());
    let set: Vec<String> = [&parts.id, &parts.secret, &parts.security_token]
        .into_iter()
        .filter_map(named)
        .collect();
    match families {
        [None, None, None] => {}
        // The OIDC token comes before a permanent key.
        [Some(_), Some(_), None] if has_oidc => {}
        [Some(id), Some(secret), token] => {
            if id != secret || token.is_some_and(|token| token != id) {
                findings.warn(
                    Topic::Environment,
                    format!("the access key is put together from {}, which are variables of different tools", set.join(", ")),
                    "set the variables of one tool, and unset the others",
                );
            }
        }
        [_, _, _] => {
            let (be, variables) = match set.len() {
                1 => ("is", "variable"),
                _ => ("are", "variables"),
            };
            findings.warn(
                Topic::Environment,
                format!(
                    "{} {be} set, but the access key is incomplete, so it is not used",
                    set.join(" and ")
                ),
                format!("set the ID and the secret, or unset the {variables}"),
            );
        }
    }
}
