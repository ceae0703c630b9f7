//! The modes of profiles and the types of sections, and the plan of each.

use std::sync::Arc;

use ack_ram_core::protocol::json::JsonObject;

use crate::error::SetupError;
use crate::ini::Section;
use crate::origin::{Origin, Profile, Setting};
use crate::plan::{AssumeRolePlan, OidcPlan, Plan, ProcessPlan, RoleSessionName};
use crate::resolve::cli_file::{self, CliProfiles};
use crate::resolve::output::OutputContext;
use crate::resolve::role::{PROFILE_NAMES, RoleNames, SECTION_NAMES};
use crate::resolve::values::Values;
use crate::resolve::{environment, key, metadata, paths, role, session_name, sso, switches, words};

/// The maximum number of profiles in a chain of sources.
pub(super) const MAX_CHAIN: usize = 10;

/// The modes that cannot sign a token.
const UNUSABLE: [&str; 5] = [
    "RsaKeyPair",
    "BearerToken",
    "Anonymous",
    "rsa_key_pair",
    "bearer",
];

/// What the modes need besides the values of the profile.
#[derive(Clone)]
pub(super) struct ModeContext<'a> {
    pub(super) output: Arc<OutputContext>,
    /// The profiles of the chain so far, from the first.
    chain: Vec<Arc<Profile>>,
    /// What printed the profile, if a process did.
    printed_by: Option<&'a Origin>,
}

impl<'a> ModeContext<'a> {
    pub(super) fn new(output: Arc<OutputContext>) -> Self {
        Self {
            output,
            chain: Vec::new(),
            printed_by: None,
        }
    }

    /// Returns the context of a profile that the process of `origin` printed.
    pub(super) fn of_output(output: Arc<OutputContext>, origin: &'a Origin) -> Self {
        Self {
            printed_by: Some(origin),
            ..Self::new(output)
        }
    }

    /// Returns the context of `profile`, the source of the last profile.
    pub(super) fn with_profile(&self, profile: &Arc<Profile>) -> Result<Self, SetupError> {
        let mut chain = self.chain.clone();
        let is_loop = chain.contains(profile);
        chain.push(Arc::clone(profile));
        if is_loop {
            return Err(SetupError::Loop {
                names: chain.iter().map(|profile| profile.name.clone()).collect(),
                path: profile.file.clone(),
            });
        }
        match chain.first() {
            Some(start) if chain.len() > MAX_CHAIN => Err(SetupError::ChainTooLong {
                start: Arc::clone(start),
                max: MAX_CHAIN,
            }),
            _ => Ok(Self {
                chain,
                ..self.clone()
            }),
        }
    }
}

/// Makes the plan of a profile of the CLI.
pub(super) fn plan_of_profile(
    object: &JsonObject<'_>,
    profile: &Arc<Profile>,
    profiles: &CliProfiles<'_>,
    context: &ModeContext<'_>,
) -> Result<Plan, SetupError> {
    let values = Values::of_profile(object, Arc::clone(profile));
    plan_of_mode(&values, Some(profiles), context)
}

/// Makes the plan of a profile that a process printed. `profiles` is the file that names the process.
pub(super) fn plan_of_output(
    object: &JsonObject<'_>,
    profiles: Option<&CliProfiles<'_>>,
    context: &ModeContext<'_>,
) -> Result<Plan, SetupError> {
    plan_of_mode(&Values::of_output(object), profiles, context)
}

fn plan_of_mode(
    values: &Values<'_>,
    profiles: Option<&CliProfiles<'_>>,
    context: &ModeContext<'_>,
) -> Result<Plan, SetupError> {
    let output = &context.output;
    let mode = values.text("mode")?.ok_or_else(|| SetupError::NoMode {
        place: values.place("mode"),
    })?;
    match mode.value {
        "AK" => permanent_key(values),
        "StsToken" => temporary_key(values, &["sts_token"]),
        "RamRoleArn" => {
            let source = key_of_role(values)?;
            assume_role(source, values, &PROFILE_NAMES, None, output)
        }
        "EcsRamRole" => instance_role(values, "ram_role_name", &mode.origin, output),
        "RamRoleArnWithRoleName" => {
            let source = instance_role(values, "ram_role_name", &mode.origin, output)?;
            let default = Some(session_name::OTHER_DEFAULT);
            assume_role(source, values, &PROFILE_NAMES, default, output)
        }
        "ChainableRamRoleArn" => {
            let name = values.required("source_profile")?;
            let profiles = profiles.ok_or_else(|| SetupError::NoSourceFile {
                place: name.origin.clone(),
            })?;
            let source = cli_file::plan_of_profile(profiles, &name, context)?;
            assume_role(source, values, &PROFILE_NAMES, None, output)
        }
        "External" => match context.printed_by {
            Some(origin) => Err(SetupError::NestedProcess(origin.clone())),
            None => process(values, output),
        },
        "CredentialsURI" => url(values, output),
        "OIDC" => oidc(values, output),
        "CloudSSO" => match &values.profile {
            Some(profile) => sso::cloud_sso(values, profile),
            None => printed_session(values),
        },
        "OAuth" => match &values.profile {
            Some(profile) => sso::oauth(values, profile),
            None => printed_session(values),
        },
        _ => Err(unknown_mode(&mode)),
    }
}

/// Makes the plan of a section of an INI file.
pub(super) fn plan_of_section(
    section: &Section<'_>,
    profile: &Arc<Profile>,
    default_session_name: &str,
    context: &ModeContext<'_>,
) -> Result<Plan, SetupError> {
    let values = Values::of_section(section, Arc::clone(profile));
    let output = &context.output;
    let kind = values.text("type")?.ok_or_else(|| SetupError::NoMode {
        place: values.place("type"),
    })?;
    match kind.value {
        "access_key" => permanent_key(&values),
        "sts" => temporary_key(&values, &["sts_token", "security_token"]),
        "ram_role_arn" => {
            let source = permanent_key(&values)?;
            let default = Some(default_session_name);
            assume_role(source, &values, &SECTION_NAMES, default, output)
        }
        "ecs_ram_role" => instance_role(&values, "role_name", &kind.origin, output),
        "external" => process(&values, output),
        "credentials_uri" => url(&values, output),
        _ => Err(unknown_mode(&kind)),
    }
}

fn permanent_key(values: &Values<'_>) -> Result<Plan, SetupError> {
    let id = values.required("access_key_id")?;
    let secret = values.required("access_key_secret")?;
    key::plan(&id, &secret, None, None).map(Plan::Key)
}

/// Makes the plan of a key with a security token, which has one of `names`.
fn temporary_key(values: &Values<'_>, names: &[&'static str]) -> Result<Plan, SetupError> {
    let id = values.required("access_key_id")?;
    let secret = values.required("access_key_secret")?;
    let mut token = None;
    for name in names {
        token = token.or(values.text(name)?);
    }
    let first = names.first().copied().unwrap_or_default();
    let token = token.ok_or_else(|| SetupError::Missing {
        place: values.place(first),
    })?;
    // In a file, the member belongs to an earlier session: the CLI keeps it when a person pastes a new key.
    let expires = match &values.profile {
        Some(_) => None,
        None => values.number("sts_expiration")?,
    };
    let expires = expires.map(|seconds| key::unix_time(seconds.value));
    key::plan(&id, &secret, Some(&token), expires).map(Plan::Key)
}

/// Makes the plan of a session that a process printed. There is no profile into which a renewed session could be written,
/// so the session counts as a key until it ends.
fn printed_session(values: &Values<'_>) -> Result<Plan, SetupError> {
    match values.number("sts_expiration")? {
        Some(_) => temporary_key(values, &["sts_token"]),
        None => Err(SetupError::Missing {
            place: values.place("sts_expiration"),
        }),
    }
}

/// Makes the plan of the key of a role, which is temporary if it has a security token.
fn key_of_role(values: &Values<'_>) -> Result<Plan, SetupError> {
    match values.text("sts_token")? {
        Some(_) => temporary_key(values, &["sts_token"]),
        None => permanent_key(values),
    }
}

fn assume_role(
    source: Plan,
    values: &Values<'_>,
    names: &RoleNames,
    default_name: Option<&str>,
    context: &OutputContext,
) -> Result<Plan, SetupError> {
    let name = match (values.text(names.session_name)?, default_name) {
        (Some(name), _) => session_name::parse(&name)?,
        (None, Some(default)) => session_name::from_environment(&context.environment, default)?,
        (None, None) => {
            return Err(SetupError::Missing {
                place: values.place(names.session_name),
            });
        }
    };
    Ok(Plan::AssumeRole(Box::new(AssumeRolePlan {
        source,
        session: role::settings(values, names, &context.endpoints)?,
        name: RoleSessionName::Given(name),
        external_id: match values.text("external_id")? {
            Some(id) => Some(role::parse_external_id(&id)?),
            None => role::external_id_variable(&context.environment)?,
        },
    })))
}

fn instance_role(
    values: &Values<'_>,
    name: &'static str,
    selected_by: &Origin,
    context: &OutputContext,
) -> Result<Plan, SetupError> {
    let role = values.text(name)?;
    metadata::plan(&context.environment, role.as_ref(), selected_by.clone()).map(Plan::Metadata)
}

fn process(values: &Values<'_>, context: &Arc<OutputContext>) -> Result<Plan, SetupError> {
    let command = values.required("process_command")?;
    let environment = &context.environment;
    switches::check_external(environment, "a process that prints keys", &command.origin)?;
    Ok(Plan::Process(ProcessPlan {
        words: words::split(&command)?,
        origin: command.origin,
        context: Arc::clone(context),
    }))
}

fn url(values: &Values<'_>, context: &OutputContext) -> Result<Plan, SetupError> {
    environment::url(&context.environment, &values.required("credentials_uri")?)
}

fn oidc(values: &Values<'_>, context: &OutputContext) -> Result<Plan, SetupError> {
    let provider = values.required("oidc_provider_arn")?;
    let file = values.required("oidc_token_file")?;
    let name = values.required(PROFILE_NAMES.session_name)?;
    let path = paths::expand(file.value.as_ref(), &context.environment)?;
    Ok(Plan::Oidc(OidcPlan {
        session: role::settings(values, &PROFILE_NAMES, &context.endpoints)?,
        name: session_name::parse(&name)?,
        provider: environment::parse_provider(&provider)?,
        token_file: Setting::new(path, file.origin),
    }))
}

fn unknown_mode(mode: &Setting<&str>) -> SetupError {
    let place = mode.origin.clone();
    match UNUSABLE.iter().find(|known| **known == mode.value) {
        Some(value) => SetupError::UnusableMode { place, value },
        None => SetupError::UnknownMode {
            place,
            value: is_showable(mode.value).then(|| mode.value.to_owned()),
        },
    }
}

/// Returns whether a message can show the value of a mode. A value with digits may be a secret in the wrong place.
fn is_showable(mode: &str) -> bool {
    const MAX_BYTES: usize = 30;
    let is_mark = |byte: u8| byte == b'_' || byte == b'-';
    mode.len() <= MAX_BYTES
        && mode
            .bytes()
            .all(|byte| byte.is_ascii_alphabetic() || is_mark(byte))
}
