//! The options of ack-ram-tool, which may come before, between or after the names of the command.

use std::ffi::OsStr;
use std::path::Path;

use ack_ram_client::environment::Environment;
use ack_ram_client::origin::{Origin, Setting};
use ack_ram_client::settings::{Settings, is_metadata_type};
use clap::{Arg, Args};

use super::options::{path_option, role_option, text_option};
use super::{LogLevel, session_name_of_tool};
use crate::cli::args::{BOOL, as_go_bool};
use crate::cli::failure::CommandFailure;

/// The heading of these options in the help.
pub(in crate::cli) const TOOL_HEADING: &str = "Options of ack-ram-tool";

/// The options of ack-ram-tool. Of a repeated option, the last value counts, and an empty value counts as not given.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = TOOL_HEADING, mut_args(as_in_go))]
pub(in crate::cli) struct ToolOptions {
    /// Version of the ExecCredential, if kubectl requests none; every value but `v1` means v1beta1
    #[arg(long, value_name = "VERSION")]
    api_version: Option<String>,

    /// Role to assume with the access key
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,

    /// `imds` or `ecs-role` for the role of the ECS instance; every other value means `auto`
    #[arg(long, value_name = "TYPE")]
    credential_type: Option<String>,

    /// File with profiles: `*.json` of the Alibaba Cloud CLI, or an INI file
    #[arg(long, value_name = "FILE")]
    profile_file: Option<String>,

    /// Profile of the Alibaba Cloud CLI, or section of an INI file
    #[arg(long, value_name = "NAME")]
    profile_name: Option<String>,

    /// Ignore access keys in the environment
    #[arg(long, value_name = BOOL)]
    ignore_env_credentials: Option<bool>,

    /// Ignore the file of the Alibaba Cloud CLI
    #[arg(long, value_name = BOOL)]
    ignore_aliyun_cli_credentials: Option<bool>,

    /// STS endpoint that issues the key of a role: a host, `host:port`, or a URL
    #[arg(long, value_name = "ENDPOINT")]
    sts_endpoint: Option<String>,

    /// Region of the STS endpoint
    #[arg(long, value_name = "REGION")]
    region_id: Option<String>,

    /// Level of the log: `error`, `warn`, `info` or `debug`; every other value means `info`
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,

    /// Same as `--log-level debug`
    #[arg(long, short, value_name = BOOL)]
    verbose: Option<bool>,

    #[command(flatten)]
    ignored: IgnoredOptions,
}

/// Options that have no effect on a token.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(mut_args(as_in_go))]
struct IgnoredOptions {
    /// Ignored: the command never asks a question
    #[arg(long, short = 'y', value_name = BOOL, hide_short_help = true)]
    assume_yes: Option<bool>,

    /// Ignored: the command does not call this service
    #[arg(long, value_name = "ENDPOINT", hide_short_help = true)]
    cs_endpoint: Option<String>,

    /// Ignored: the command does not call this service
    #[arg(long, value_name = "ENDPOINT", hide_short_help = true)]
    ram_endpoint: Option<String>,
}

/// Makes an option of ack-ram-tool accept the forms that Go accepts: a value is the next word, whatever it starts with.
fn as_in_go(arg: Arg) -> Arg {
    let arg = as_go_bool(arg);
    let takes_word = arg.get_help_heading() == Some(TOOL_HEADING) && !arg.is_require_equals_set();
    arg.allow_hyphen_values(takes_word)
}

impl ToolOptions {
    /// Returns these options; an option that is not given has its value from `before` them on the command line.
    pub(in crate::cli) fn or(self, before: &Self) -> Self {
        let before = before.clone();
        Self {
            api_version: self.api_version.or(before.api_version),
            role_arn: self.role_arn.or(before.role_arn),
            credential_type: self.credential_type.or(before.credential_type),
            profile_file: self.profile_file.or(before.profile_file),
            profile_name: self.profile_name.or(before.profile_name),
            ignore_env_credentials: self
                .ignore_env_credentials
                .or(before.ignore_env_credentials),
            ignore_aliyun_cli_credentials: self
                .ignore_aliyun_cli_credentials
                .or(before.ignore_aliyun_cli_credentials),
            sts_endpoint: self.sts_endpoint.or(before.sts_endpoint),
            region_id: self.region_id.or(before.region_id),
            log_level: self.log_level.or(before.log_level),
            verbose: self.verbose.or(before.verbose),
            ignored: self.ignored,
        }
    }

    /// Returns whether the answer is requested in version v1.
    pub(in crate::cli) fn requests_v1(&self) -> bool {
        self.api_version.as_deref() == Some("v1")
    }

    /// Returns the level of the log; `None` if nothing asks for a level.
    pub(in crate::cli) fn log_level(&self, environment: &Environment) -> Option<LogLevel> {
        let is_verbose = self.verbose == Some(true);
        LogLevel::requested(self.log_level.as_deref(), is_verbose, environment)
    }

    /// Returns what the options ask for, with the variables that have the same meaning. `command` is the name or path with
    /// which this program is started.
    pub(in crate::cli) fn settings(
        &self,
        command: &OsStr,
        environment: &Environment,
    ) -> Result<Settings, CommandFailure> {
        let credential_type = text_option("--credential-type", self.credential_type.as_deref());
        let switch = |name, value| (value == Some(true)).then_some(Origin::Option(name));
        let mut settings = Settings {
            only_metadata: credential_type
                .map(|name| Setting::new(is_metadata_type(&name.value), name.origin)),
            profile_file: path_option(
                "--profile-file",
                self.profile_file.as_deref().map(Path::new),
            ),
            profile_name: text_option("--profile-name", self.profile_name.as_deref()),
            ignore_environment: switch("--ignore-env-credentials", self.ignore_env_credentials),
            ignore_cli_file: switch(
                "--ignore-aliyun-cli-credentials",
                self.ignore_aliyun_cli_credentials,
            ),
            role: role_option(self.role_arn.as_deref())?,
            sts_endpoint: text_option("--sts-endpoint", self.sts_endpoint.as_deref()),
            region: text_option("--region-id", self.region_id.as_deref()),
            default_session_name: session_name_of_tool(command),
            ..Settings::default()
        };
        settings.add_variables(environment);
        Ok(settings)
    }
}

/// Returns the failure for options of ack-ram-tool before the name of a command that ack-ram-tool does not have.
pub(in crate::cli) fn misplaced_options() -> CommandFailure {
    CommandFailure::Usage(
        "only `credential-plugin` accepts options of ack-ram-tool before its name; write the options of this command after its name".to_owned(),
    )
}
