//! Options of the commands that log in: which access key, which role, and how it is obtained.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ack_ram_client::driver::SystemFiles;
use ack_ram_client::environment::Environment;
use ack_ram_client::error::SetupError;
use ack_ram_client::files::Files as _;
use ack_ram_client::kubeconfig::TokenOptions;
use ack_ram_client::origin::{Origin, Setting};
use ack_ram_client::settings::{SessionSettings, Settings};
use ack_ram_core::sts::{ExternalId, RoleArn, SessionName, SessionPolicy, SessionSeconds};
use clap::Args;

use super::LogLevel;
use crate::cli::failure::CommandFailure;

/// The name of this program as a session name.
const OWN_SESSION_NAME: &str = "ack-ram-authenticator";

/// Which access key a command uses, and how it is obtained.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct ClientOptions {
    #[command(flatten)]
    source: SourceOptions,
    #[command(flatten)]
    role: RoleOptions,
    #[command(flatten)]
    pub(in crate::cli) call: CallOptions,

    /// Level of the log on standard error: `error`, `warn`, `info` or `debug`
    #[arg(
        long,
        value_enum,
        value_name = "LEVEL",
        help_heading = "Global options",
        hide_possible_values = true
    )]
    log_level: Option<LogLevel>,
}

#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Access key options")]
struct SourceOptions {
    /// File with profiles, used instead of the environment and the default files
    ///
    /// A name that ends in `.json` is a file of the Alibaba Cloud CLI. Any other name is an INI file.
    #[arg(long, value_name = "FILE")]
    profile_file: Option<PathBuf>,

    /// Profile of the Alibaba Cloud CLI, or section of an INI file
    #[arg(long, value_name = "NAME")]
    profile_name: Option<String>,

    /// STS endpoint that issues the key of a role: a host, `host:port`, or a URL
    #[arg(long, value_name = "ENDPOINT")]
    sts_endpoint: Option<String>,
}

#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Role options")]
struct RoleOptions {
    /// Role to assume with the access key; overrides `defaultRole` in the configuration file
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,

    /// Name of the session of the role
    #[arg(long, value_name = "NAME", conflicts_with = "forward_session_name")]
    session_name: Option<String>,

    /// Name the role's session after the session of the access key
    #[arg(long)]
    forward_session_name: bool,

    /// External ID that the trust policy of the role requires
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,

    /// Lifetime of the session, such as `1h`; 15 minutes to 12 hours
    #[arg(long, value_name = "DURATION")]
    duration: Option<humantime::Duration>,

    /// File with a policy that limits the session
    #[arg(long, value_name = "FILE")]
    session_policy: Option<PathBuf>,
}

/// Which identity a command logs in with.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct IdentityOptions {
    #[command(flatten)]
    source: SourceOptions,

    #[command(flatten)]
    role: RoleOptions,
}

/// How long a command may take, and whether it uses the cache.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Access key options")]
pub(in crate::cli) struct CallOptions {
    /// Time limit of the command
    #[arg(long, value_name = "DURATION", default_value = "15s")]
    timeout: humantime::Duration,

    /// Obtain a new key and sign a new token, instead of using the cache
    #[arg(long)]
    pub(in crate::cli) no_cache: bool,

    /// Folder of the cache
    #[arg(long, value_name = "FOLDER")]
    cache_dir: Option<PathBuf>,
}

impl CallOptions {
    /// Returns the time limit of the command.
    pub(in crate::cli) fn timeout(&self) -> Duration {
        self.timeout.into()
    }

    /// Returns the folder that the option names.
    pub(in crate::cli) fn cache_dir(&self) -> Option<&Path> {
        let folder = self.cache_dir.as_deref();
        folder.filter(|folder| !folder.as_os_str().is_empty())
    }

    /// Returns these options for a command with the options `other`: the time limit is that of these options.
    pub(in crate::cli) fn with_cache_of(&self, other: &Self) -> Self {
        Self {
            timeout: self.timeout,
            no_cache: self.no_cache || other.no_cache,
            cache_dir: self.cache_dir.clone().or_else(|| other.cache_dir.clone()),
        }
    }
}

impl ClientOptions {
    /// Returns whether an option selects the access key or the role.
    pub(in crate::cli) fn selects_identity(&self) -> bool {
        self.source != SourceOptions::default() || self.role != RoleOptions::default()
    }

    /// Returns the level of the log; `None` if nothing asks for a level.
    pub(in crate::cli) fn log_level(&self, environment: &Environment) -> Option<LogLevel> {
        self.log_level
            .or_else(|| LogLevel::requested(None, false, environment))
    }

    /// Returns what the options ask for, with the variables of ack-ram-tool.
    pub(in crate::cli) fn settings(
        &self,
        environment: &Environment,
    ) -> Result<Settings, CommandFailure> {
        let mut settings = Settings {
            profile_file: path_option("--profile-file", self.source.profile_file.as_deref()),
            profile_name: text_option("--profile-name", self.source.profile_name.as_deref()),
            sts_endpoint: text_option("--sts-endpoint", self.source.sts_endpoint.as_deref()),
            role: role_option(self.role.role_arn.as_deref())?,
            session: self.role.session()?,
            default_session_name: OWN_SESSION_NAME.to_owned(),
            ..Settings::default()
        };
        settings.add_variables(environment);
        Ok(settings)
    }
}

impl IdentityOptions {
    /// Returns the options as arguments of `token` that work in any folder.
    pub(in crate::cli) fn token_options(&self) -> Result<TokenOptions, CommandFailure> {
        let text = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        // Refuses values that `token` would refuse.
        self.role.session()?;
        let role = role_option(self.role.role_arn.as_deref())?;
        let mut others = Vec::new();
        let mut add = |option: &str, value: Option<String>| {
            if let Some(value) = value {
                others.extend([option.to_owned(), value]);
            }
        };
        let profile_file = path_option("--profile-file", self.source.profile_file.as_deref());
        add(
            "--profile-file",
            profile_file
                .map(|file| path_for_any_folder(&file.value))
                .transpose()?,
        );
        add("--sts-endpoint", text(&self.source.sts_endpoint));
        add("--external-id", text(&self.role.external_id));
        add(
            "--duration",
            self.role.duration.map(|duration| duration.to_string()),
        );
        let policy = path_option("--session-policy", self.role.session_policy.as_deref());
        add(
            "--session-policy",
            policy.map(|file| absolute_path(&file.value)).transpose()?,
        );
        if self.role.forward_session_name {
            others.push("--forward-session-name".to_owned());
        }
        Ok(TokenOptions {
            role_arn: role.map(|role| role.value),
            profile_name: text(&self.source.profile_name),
            session_name: text(&self.role.session_name),
            others,
        })
    }
}

/// Returns a path of a file with profiles, for a command that runs in another folder. `token` expands `~` itself.
fn path_for_any_folder(path: &Path) -> Result<String, CommandFailure> {
    match path.to_str() {
        Some(text) if path.starts_with("~") => Ok(text.to_owned()),
        _ => absolute_path(path),
    }
}

/// Returns the absolute form of a path, for a command that runs in another folder.
pub(in crate::cli) fn absolute_path(path: &Path) -> Result<String, CommandFailure> {
    let absolute = std::path::absolute(path).map_err(|error| {
        CommandFailure::Failed(format!(
            "cannot resolve the path `{}`: {error}",
            path.display()
        ))
    })?;
    absolute.into_os_string().into_string().map_err(|path| {
        CommandFailure::Failed(format!(
            "the path `{}` is not UTF-8, which a kubeconfig needs",
            path.display()
        ))
    })
}

impl RoleOptions {
    fn session(&self) -> Result<SessionSettings, CommandFailure> {
        let policy = path_option("--session-policy", self.session_policy.as_deref())
            .map(read_policy)
            .transpose()?;
        let seconds = self.duration.map(|duration| {
            let seconds = u32::try_from(duration.as_secs()).ok();
            match seconds.and_then(SessionSeconds::new) {
                Some(seconds) if duration.subsec_nanos() == 0 => {
                    Ok(Setting::new(seconds, Origin::Option("--duration")))
                }
                _ => Err(malformed(
                    Origin::Option("--duration"),
                    "lifetime of a session",
                    "15 minutes to 12 hours, in whole seconds",
                )),
            }
        });
        Ok(SessionSettings {
            name: parsed(
                text_option("--session-name", self.session_name.as_deref()),
                "session name",
                SessionName::GRAMMAR,
                SessionName::parse,
            )?,
            forward_name: self.forward_session_name,
            external_id: parsed(
                text_option("--external-id", self.external_id.as_deref()),
                "external ID",
                ExternalId::GRAMMAR,
                ExternalId::parse,
            )?,
            seconds: seconds.transpose()?,
            policy,
        })
    }
}

/// Returns the value of an option; `None` if it is empty, which counts as not given.
pub(super) fn text_option(name: &'static str, value: Option<&str>) -> Option<Setting<String>> {
    let value = value.filter(|value| !value.is_empty())?;
    Some(Setting::new(value.to_owned(), Origin::Option(name)))
}

/// Returns the path in an option; `None` if it is empty, which counts as not given.
pub(super) fn path_option(name: &'static str, value: Option<&Path>) -> Option<Setting<PathBuf>> {
    let value = value.filter(|value| !value.as_os_str().is_empty())?;
    Some(Setting::new(value.to_owned(), Origin::Option(name)))
}

/// Parses the value of `--role-arn`.
pub(super) fn role_option(arn: Option<&str>) -> Result<Option<Setting<RoleArn>>, CommandFailure> {
    let Some(text) = text_option("--role-arn", arn) else {
        return Ok(None);
    };
    parse_role(&text.value, text.origin)
        .map(Some)
        .map_err(usage)
}

/// Parses the ARN of a role. `place` is where the ARN is, for messages.
pub(super) fn parse_role(text: &str, place: Origin) -> Result<Setting<RoleArn>, SetupError> {
    match RoleArn::parse(text) {
        Ok(arn) => Ok(Setting::new(arn, place)),
        Err(error) => Err(SetupError::RoleArn { place, error }),
    }
}

fn parsed<T>(
    text: Option<Setting<String>>,
    what: &'static str,
    form: &'static str,
    parse: fn(&str) -> Option<T>,
) -> Result<Option<Setting<T>>, CommandFailure> {
    let Some(text) = text else { return Ok(None) };
    match parse(&text.value) {
        Some(value) => Ok(Some(Setting::new(value, text.origin))),
        None => Err(malformed(text.origin, what, form)),
    }
}

fn read_policy(file: Setting<PathBuf>) -> Result<Setting<SessionPolicy>, CommandFailure> {
    let Setting {
        value: path,
        origin: place,
    } = file;
    let content = SystemFiles.read(&path).map_err(|error| {
        CommandFailure::from_client(
            SetupError::File {
                path,
                selected_by: place.clone(),
                error,
            }
            .into(),
        )
    })?;
    match SessionPolicy::parse(content.text.trim()) {
        Some(policy) => Ok(Setting::new(policy, place)),
        None => Err(malformed(place, "session policy", SessionPolicy::GRAMMAR)),
    }
}

fn malformed(place: Origin, what: &'static str, form: &'static str) -> CommandFailure {
    usage(SetupError::Form { place, what, form })
}

/// Returns the failure for a wrong value of an option, with exit code 2.
fn usage(error: SetupError) -> CommandFailure {
    CommandFailure::Usage(format!("{error}; {}", error.remedy()))
}
