//! Mistakes in the settings, the environment and the files of a client.

use std::path::PathBuf;
use std::sync::Arc;

use ack_ram_config::EndpointError;
use ack_ram_core::protocol::json::JsonError;
use ack_ram_core::sts::RoleArnError;

use crate::error::ValueFault;
use crate::files::FileError;
use crate::ini::IniError;
use crate::origin::{Origin, Profile};
use crate::plan::UrlFault;

/// A mistake in the setup of a client. `Display` says what is wrong and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// No source of an access key is configured.
    #[error("no access key is configured: {}", searched.join(", "))]
    NotConfigured {
        /// The places that were searched, with the result.
        searched: Vec<String>,
    },
    /// A value is missing.
    #[error("{place} is missing")]
    Missing {
        /// The name of the value, and where it belongs.
        place: Origin,
    },
    /// A value contains characters that no credential contains. The message does not show the value.
    #[error("{place} {fault}")]
    Malformed {
        /// Where the value is.
        place: Origin,
        /// The fault.
        fault: ValueFault,
    },
    /// A value is not an access key ID. The message does not show the value, which may be a secret.
    #[error("{place} is not an access key ID")]
    AccessKeyId {
        /// Where the value is.
        place: Origin,
    },
    /// A value does not have the required form.
    #[error("{place} is not a valid {what}")]
    Form {
        /// Where the value is.
        place: Origin,
        /// What the value should be, without an article.
        what: &'static str,
        /// The required form.
        form: &'static str,
    },
    /// A value is not the ARN of a role.
    #[error("{place} is not the ARN of a role: {error}")]
    RoleArn {
        /// Where the value is.
        place: Origin,
        /// The reason.
        error: RoleArnError,
    },
    /// A value is not an STS endpoint or a region.
    #[error("{place} is not an STS endpoint")]
    Endpoint {
        /// Where the value is.
        place: Origin,
        /// The reason, as an instruction.
        error: EndpointError,
    },
    /// A value is not a usable URL.
    #[error("{place} {fault}")]
    Url {
        /// Where the value is.
        place: Origin,
        /// The fault.
        fault: UrlFault,
    },
    /// A member of a profile has the wrong type.
    #[error("{place} has a value of the wrong type")]
    Type {
        /// Where the value is.
        place: Origin,
        /// The expected type, with an article.
        expected: &'static str,
    },
    /// The name of a value is written in another case.
    #[error("{place} is written `{found}`")]
    NameCase {
        /// Where the value belongs.
        place: Origin,
        /// The name in the file.
        found: String,
    },
    /// A command cannot be split into words.
    #[error("{place} {reason}")]
    Command {
        /// Where the command is.
        place: Origin,
        /// The reason, as a predicate.
        reason: &'static str,
    },
    /// A file cannot be read.
    #[error("`{}`{} {error}", path.display(), named_by(selected_by))]
    File {
        /// The path.
        path: PathBuf,
        /// What names the file.
        selected_by: Origin,
        /// The reason.
        error: FileError,
    },
    /// A file is not valid JSON.
    #[error("`{}` is not valid: {error}", path.display())]
    Json {
        /// The path.
        path: PathBuf,
        /// The reason.
        error: JsonError,
    },
    /// A file is not a valid INI file.
    #[error("`{}` is not valid: {error}", path.display())]
    Ini {
        /// The path.
        path: PathBuf,
        /// The reason.
        error: IniError,
    },
    /// A file has no list of profiles.
    #[error("`{}` has no list `profiles`", path.display())]
    NoProfiles {
        /// The path.
        path: PathBuf,
    },
    /// A file has no profile of this name.
    #[error("{wanted}{} does not exist", named_by(selected_by))]
    NoProfile {
        /// The profile.
        wanted: Arc<Profile>,
        /// What selects the profile.
        selected_by: Origin,
        /// The names of the profiles in the file.
        known: Vec<String>,
    },
    /// A profile has no mode, or a section has no type.
    #[error("{place} is missing, so that nothing says how the key is obtained")]
    NoMode {
        /// The mode or type.
        place: Origin,
    },
    /// The mode of a profile is unknown.
    #[error("{place} has an unknown value{}", shown(value))]
    UnknownMode {
        /// The mode or type.
        place: Origin,
        /// The value; `None` if it may be a secret.
        value: Option<String>,
    },
    /// The mode of a profile gives no key that can sign a token.
    #[error("{place} has the value `{value}`, which cannot sign a token")]
    UnusableMode {
        /// The mode or type.
        place: Origin,
        /// The value.
        value: &'static str,
    },
    /// Profiles name each other as their source.
    #[error("the profiles {} in `{}` name each other as `source_profile`", quoted(names), path.display())]
    Loop {
        /// The names, in the order of the chain.
        names: Vec<String>,
        /// The file.
        path: PathBuf,
    },
    /// A chain of profiles is too long.
    #[error("the chain of `source_profile` that starts at {start} has more than {max} profiles")]
    ChainTooLong {
        /// The first profile.
        start: Arc<Profile>,
        /// The maximum.
        max: usize,
    },
    /// The selected source is switched off.
    #[error("{selected_by} selects {what}, which `{switch}` switches off")]
    SwitchedOff {
        /// What selects the source.
        selected_by: Origin,
        /// The source.
        what: &'static str,
        /// The variable that switches the source off.
        switch: &'static str,
    },
    /// Two settings exclude each other.
    #[error("{0} and {1} exclude each other")]
    Conflict(Origin, Origin),
    /// An option concerns a role, but no role is assumed.
    #[error("`{0}` is given, but no role is assumed")]
    NoRole(&'static str),
    /// An option concerns the source of a role, but the role is for an OIDC token.
    #[error("`{0}` is given, but a role for an OIDC token does not take it")]
    NotForOidc(&'static str),
    /// The output of a process selects another process.
    #[error(
        "the process of {0} printed a profile with the mode `External`, which would run another process"
    )]
    NestedProcess(Origin),
    /// A value names another profile, but belongs to no file with profiles.
    #[error("{place} needs a file of the Alibaba Cloud CLI, but the process is not from one")]
    NoSourceFile {
        /// Where the value is.
        place: Origin,
    },
    /// A variable selects a key of the query that is the cluster ID in another case.
    #[error("`{0}` would add the cluster ID to the token a second time")]
    ReservedQueryKey(String),
    /// A variable whose value is a secret would become part of the query, which is not encrypted in a token.
    #[error(
        "`ACK_RAM_TOOL_TOKEN_EXTRA_KEY_PREFIX` selects `{0}`, whose secret value would be readable in the token"
    )]
    SecretInQuery(String),
    /// The home directory is unknown.
    #[error("`{0}` starts with `~`, but the home directory is unknown")]
    NoHome(PathBuf),
}

impl SetupError {
    /// Returns whether options of the command line exclude each other, or do not apply.
    #[must_use]
    pub fn is_wrong_usage(&self) -> bool {
        match self {
            Self::NoRole(_) | Self::NotForOidc(_) => true,
            Self::Conflict(first, second) => [first, second]
                .iter()
                .all(|origin| matches!(origin, Origin::Option(_))),
            _ => false,
        }
    }

    /// Returns what to do.
    #[must_use]
    pub fn remedy(&self) -> String {
        match self {
            Self::NotConfigured { .. } => "set `ALIBABA_CLOUD_ACCESS_KEY_ID` and `ALIBABA_CLOUD_ACCESS_KEY_SECRET`, or run `aliyun configure`; `ack-ram-authenticator doctor` shows all sources".to_owned(),
            Self::Missing { .. } => "add it, or correct its name".to_owned(),
            Self::Malformed { .. } => "set it to only the value, in visible ASCII characters".to_owned(),
            Self::AccessKeyId { .. } => "set it to an ID such as `LTAI5t...`".to_owned(),
            Self::Form { form, .. } => format!("set it to {form}"),
            Self::RoleArn { .. } => "set it to an ARN such as `acs:ram::1234567890123456:role/dev`".to_owned(),
            Self::Endpoint { error, .. } => error.to_string(),
            Self::Url { fault, .. } => fault.remedy().to_owned(),
            Self::Type { expected, .. } => format!("set it to {expected}"),
            Self::NameCase { .. } => "write the name in lowercase letters".to_owned(),
            Self::Command { .. } => "correct the command".to_owned(),
            Self::File { error, .. } => match error {
                FileError::NotFound => "create the file, or correct its path".to_owned(),
                FileError::NotAFile(_) => "use the path of a file".to_owned(),
                FileError::TooLarge => "use a file with profiles only".to_owned(),
                FileError::NotText => "save the file as UTF-8".to_owned(),
                FileError::Unreadable(_) => "correct the permissions of the file and of its folders".to_owned(),
            },
            Self::Json { .. } | Self::NoProfiles { .. } => "correct the file, or run `aliyun configure`".to_owned(),
            Self::Ini { .. } => "correct the file".to_owned(),
            Self::NoProfile { known, .. } if known.is_empty() => "add it; the file has no profiles".to_owned(),
            Self::NoProfile { known, .. } => format!("choose one of {}", quoted(known)),
            Self::NoMode { place } | Self::UnknownMode { place, .. } | Self::UnusableMode { place, .. } => usable_modes(place).to_owned(),
            Self::Loop { .. } => "let the last profile of the chain hold an access key".to_owned(),
            Self::ChainTooLong { .. } => "shorten the chain".to_owned(),
            Self::SwitchedOff { switch, .. } => format!("unset `{switch}`, or select another source"),
            Self::Conflict(..) => "use only one of them".to_owned(),
            Self::NoRole(option) => format!("add `--role-arn`, or leave out `{option}`"),
            Self::NotForOidc(option) => format!("leave out `{option}`"),
            Self::NestedProcess(_) => "let the process print a key".to_owned(),
            Self::NoSourceFile { .. } => "let the process print a key".to_owned(),
            Self::ReservedQueryKey(name) => format!("unset `{name}`, or change `ACK_RAM_TOOL_TOKEN_EXTRA_KEY_PREFIX`"),
            Self::SecretInQuery(name) => format!("change `ACK_RAM_TOOL_TOKEN_EXTRA_KEY_PREFIX` so that `{name}` does not start with it"),
            Self::NoHome(_) => "set `HOME`, or write an absolute path".to_owned(),
        }
    }
}

fn named_by(origin: &Origin) -> String {
    match origin {
        Origin::Default => String::new(),
        other => format!(", which {other} names,"),
    }
}

/// Returns the modes that can sign a token, in the words of the file.
fn usable_modes(place: &Origin) -> &'static str {
    match place {
        Origin::Key(..) => {
            "set it to `access_key`, `sts`, `ram_role_arn`, `ecs_ram_role`, `external` or `credentials_uri`"
        }
        Origin::Output(_) => "let the process print a profile with the mode `AK` or `StsToken`",
        _ => {
            "choose a mode with a key, a role or a session, such as `AK`, `StsToken`, `RamRoleArn` or `CloudSSO`: run `aliyun configure`"
        }
    }
}

fn shown(value: &Option<String>) -> String {
    match value {
        Some(value) => format!(": `{value}`"),
        None => String::new(),
    }
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names
        .iter()
        .map(|name| format!("`{}`", name.escape_debug()))
        .collect();
    names.join(", ")
}
