//! Paths of files, and the home directory.

use std::path::{Path, PathBuf};

use crate::environment::Environment;
use crate::error::SetupError;
use crate::files::FileAccess;
use crate::finding::{Findings, Topic};
use crate::origin::{Origin, Setting};
use crate::resolve::Inputs;

/// Returns the home directory; `None` if it is unknown.
#[must_use]
pub fn home(environment: &Environment) -> Option<PathBuf> {
    let variable = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    environment.get(variable).map(PathBuf::from)
}

/// Returns the path of the file of the Alibaba Cloud CLI; `None` if the home directory is unknown.
#[must_use]
pub fn cli_file_path(environment: &Environment) -> Option<Setting<PathBuf>> {
    cli_file(environment).unwrap_or_default()
}

/// Returns the path of the file of the Alibaba Cloud CLI; `None` if there is neither a variable nor a home directory.
pub(super) fn cli_file(environment: &Environment) -> Result<Option<Setting<PathBuf>>, SetupError> {
    const VARIABLE: &str = "ALIBABA_CLOUD_CONFIG_FILE";
    if let Some(path) = environment.get(VARIABLE) {
        let path = expand(Path::new(path), environment)?;
        return Ok(Some(Setting::new(path, Origin::Variable(VARIABLE))));
    }
    Ok(home(environment).map(|home| {
        let path = home.join(".aliyun").join("config.json");
        Setting::new(path, Origin::Default)
    }))
}

/// Returns the path of the INI file; `None` if the home directory is unknown.
#[must_use]
pub fn ini_file_path(environment: &Environment) -> Option<PathBuf> {
    Some(home(environment)?.join(".alibabacloud").join("credentials"))
}

/// Replaces `~` at the start of a path with the home directory.
pub(super) fn expand(path: &Path, environment: &Environment) -> Result<PathBuf, SetupError> {
    match path.strip_prefix("~") {
        Ok(rest) => match home(environment) {
            Some(home) => Ok(home.join(rest)),
            None => Err(SetupError::NoHome(path.to_owned())),
        },
        Err(_) => Ok(path.to_owned()),
    }
}

/// Returns the profile or section that the settings or the environment select.
pub(super) fn profile_name<'a>(inputs: &Inputs<'a>) -> Option<Setting<&'a str>> {
    if let Some(name) = &inputs.settings.profile_name {
        return Some(Setting::new(&name.value, name.origin.clone()));
    }
    let (variable, name) = inputs.environment.first(&[
        "ALIBABA_CLOUD_PROFILE",
        "ALIBABACLOUD_PROFILE",
        "ALICLOUD_PROFILE",
    ])?;
    Some(Setting::new(name, Origin::Variable(variable)))
}

/// Adds a finding about who else can read or change a file.
///
/// Only a file that every user can change is worth a warning at each login. On many systems, each user has a group of
/// their own, and new files are writable by the group.
pub(super) fn note_access(path: &Path, access: Option<FileAccess>, findings: &mut Findings) {
    let path = path.display();
    let remedy = format!("run `chmod 600 {path}`");
    match access {
        Some(access) if access.is_writable_by_all() => findings.warn(
            Topic::Files,
            format!("every user can change `{path}` (mode {:04o})", access.mode),
            remedy,
        ),
        Some(access) if access.is_writable_by_others() => findings.advise(
            Topic::Files,
            format!("other users can change `{path}` (mode {:04o})", access.mode),
            remedy,
        ),
        Some(access) if access.is_readable_by_others() => findings.advise(
            Topic::Files,
            format!("other users can read `{path}` (mode {:04o})", access.mode),
            remedy,
        ),
        Some(access) => {
            let owner = if access.is_own {
                "this user"
            } else {
                "another user"
            };
            let mode = access.mode;
            findings.note(
                Topic::Files,
                format!("`{path}` is read (mode {mode:04o}, owned by {owner})"),
            );
        }
        None => findings.note(Topic::Files, format!("`{path}` is read")),
    }
}
