//! Decides how an access key is obtained: settings, environment and files give a plan, without I/O of its own.
//!
//! The order of the sources is that of ack-ram-tool. The first source that is configured is taken; if it is wrong, the
//! search ends with an error, because any other source has another identity.

mod cli_file;
#[cfg(test)]
mod documented;
mod endpoint;
mod environment;
mod ini_file;
mod key;
mod metadata;
mod mode;
mod output;
mod paths;
mod role;
mod session_name;
mod sso;
mod switches;
#[cfg(test)]
mod tests;
mod values;
pub mod variables;
mod words;

use std::path::{Path, PathBuf};

use ack_ram_config::StsEndpoint;

use crate::environment::Environment;
use crate::error::{ClientError, SetupError};
use crate::files::Files;
use crate::finding::{Findings, Topic};
use crate::origin::{Origin, Setting};
use crate::plan::Plan;
use crate::settings::Settings;
pub(crate) use cli_file::CliText;
pub use output::OutputContext;
pub(crate) use output::OutputError;
pub use paths::{cli_file_path, home, ini_file_path};

/// What a plan is made from.
pub(crate) struct Inputs<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) environment: &'a Environment,
    pub(crate) files: &'a dyn Files,
}

/// Decides how the access key is obtained, and adds what was found to `findings`.
///
/// `settings` must include the variables of ack-ram-tool ([`Settings::add_variables`]).
///
/// # Errors
/// Returns an error if no source is configured, or if the configured source is wrong.
pub fn resolve(
    settings: &Settings,
    environment: &Environment,
    files: &dyn Files,
    findings: &mut Findings,
) -> Result<Plan, ClientError> {
    let inputs = Inputs {
        settings,
        environment,
        files,
    };
    let plan = find(&inputs, findings);
    // The error of a search without a result names the parts that are missing.
    let is_in_error = matches!(plan, Err(SetupError::NotConfigured { .. }));
    if settings.searches_environment() && !is_in_error {
        environment::warn_about_parts(environment, findings);
    }
    let plan = plan?;
    findings.note(Topic::Plan, plan.summary().text());
    Ok(plan)
}

/// Searches the sources in their order, and adds the role that is asked for to the first that is configured.
fn find(inputs: &Inputs<'_>, findings: &mut Findings) -> Result<Plan, SetupError> {
    let settings = inputs.settings;
    if let Some(selected_by) = settings.metadata_selector() {
        warn_about_unused_profile(settings, selected_by, findings);
        let plan = metadata::plan(inputs.environment, None, selected_by.clone())?;
        return role::add_requested_role(inputs, Plan::Metadata(plan), None);
    }
    if let Some(file) = &settings.profile_file {
        return from_profile_file(inputs, file, findings);
    }
    let mut searched = Vec::new();
    if let Some(switch) = &settings.ignore_environment {
        let text = format!("keys in the environment are ignored, because of {switch}");
        findings.note(Topic::Environment, text);
        searched.push(format!("the environment (ignored by {switch})"));
    } else {
        if let Some(plan) = environment::find(inputs, findings)? {
            return Ok(plan);
        }
        searched.extend(environment::describe_missing(inputs.environment));
    }
    let switch = switches::cli_file_switch(inputs.environment).map(Origin::Variable);
    match settings.ignore_cli_file.clone().or(switch) {
        Some(switch) => searched.push(format!("the file of the CLI (ignored by {switch})")),
        None => {
            let path = paths::cli_file(inputs.environment)?;
            if let Some(plan) = optional(path, &mut searched, |path| {
                cli_file::find(inputs, path, findings)
            })? {
                return Ok(plan);
            }
        }
    }
    let path = ini_file_path(inputs.environment).map(|path| Setting::new(path, Origin::Default));
    let default_name = &inputs.settings.default_session_name;
    if let Some(plan) = optional(path, &mut searched, |path| {
        ini_file::find(inputs, path, default_name, findings)
    })? {
        return Ok(plan);
    }
    Err(SetupError::NotConfigured { searched })
}

/// Warns about an option that selects a profile, if `selected_by` selects the metadata service instead.
fn warn_about_unused_profile(settings: &Settings, selected_by: &Origin, findings: &mut Findings) {
    let file = settings.profile_file.as_ref().map(|file| &file.origin);
    let name = settings.profile_name.as_ref().map(|name| &name.origin);
    for origin in file.into_iter().chain(name) {
        let text = format!(
            "{origin} has no effect, because {selected_by} selects the role of the ECS instance"
        );
        match origin {
            Origin::Option(_) => findings.warn(Topic::Plan, text, "use only one of them"),
            _ => findings.note(Topic::Plan, text),
        }
    }
}

/// Makes the plan of a file that exists. A default file that does not exist is passed over.
fn optional(
    path: Option<Setting<PathBuf>>,
    searched: &mut Vec<String>,
    find: impl FnOnce(&Setting<PathBuf>) -> Result<Option<Plan>, SetupError>,
) -> Result<Option<Plan>, SetupError> {
    const NO_HOME: &str = "no home directory";
    let Some(path) = path else {
        if searched.last().is_none_or(|last| last != NO_HOME) {
            searched.push(NO_HOME.to_owned());
        }
        return Ok(None);
    };
    let plan = find(&path)?;
    if plan.is_none() {
        searched.push(format!("no file `{}`", path.value.display()));
    }
    Ok(plan)
}

/// Makes the plan of the file that `--profile-file` names: `.json` is a file of the CLI, any other an INI file.
fn from_profile_file(
    inputs: &Inputs<'_>,
    file: &Setting<PathBuf>,
    findings: &mut Findings,
) -> Result<Plan, SetupError> {
    let path = paths::expand(&file.value, inputs.environment)?;
    let file = Setting::new(path, file.origin.clone());
    let plan = if is_json(&file.value) {
        if let Some(ignore) = &inputs.settings.ignore_cli_file {
            return Err(SetupError::Conflict(file.origin, ignore.clone()));
        }
        if let Some(switch) = switches::cli_file_switch(inputs.environment) {
            return Err(SetupError::SwitchedOff {
                selected_by: file.origin,
                what: "a file of the Alibaba Cloud CLI",
                switch,
            });
        }
        cli_file::find(inputs, &file, findings)?
    } else {
        let default_name = &inputs.settings.default_session_name;
        ini_file::find(inputs, &file, default_name, findings)?
    };
    plan.ok_or(SetupError::File {
        path: file.value,
        selected_by: file.origin,
        error: crate::files::FileError::NotFound,
    })
}

/// Returns the STS endpoint for calls of a key that no role issues.
pub(crate) fn sts_endpoint(
    settings: &Settings,
    environment: &Environment,
) -> Result<Setting<StsEndpoint>, SetupError> {
    let endpoints = endpoint::EndpointSettings::collect(settings, environment);
    endpoints.endpoint_for(None)
}

fn is_json(path: &Path) -> bool {
    path.to_string_lossy().ends_with(".json")
}
