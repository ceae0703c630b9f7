//! The global options of ack-ram-tool.

use clap::{Args, ValueEnum};

use crate::cli::args::{BOOL, as_go_bool};
use crate::cli::failure::CommandFailure;
use crate::environment::Variables;

/// The heading of these options in the help.
pub(super) const TOOL_HEADING: &str = "Options of ack-ram-tool";

/// The global options of ack-ram-tool, which may come before, between or after the names of the command.
#[derive(Args, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = TOOL_HEADING, mut_args(as_go_bool))]
pub(super) struct ToolOptions {
    /// Source of the credentials; this version supports only `auto`
    #[arg(long, value_enum, value_name = "TYPE")]
    credential_type: Option<CredentialType>,

    /// Ignore credentials in the environment; not supported, since this version has no other source
    #[arg(long, value_name = BOOL)]
    ignore_env_credentials: Option<bool>,

    /// Credentials file; not supported in this version
    #[arg(long, value_name = "FILE")]
    profile_file: Option<String>,

    /// Profile in the credentials file; not supported in this version
    #[arg(long, value_name = "NAME")]
    profile_name: Option<String>,

    #[command(flatten)]
    rest: IgnoredOptions,
}

/// Options that have no effect on a token that is signed with a key from the environment.
#[derive(Args, Debug, Default, PartialEq, Eq)]
#[command(mut_args(as_go_bool))]
struct IgnoredOptions {
    /// Ignored: the command never asks a question
    #[arg(long, short = 'y', value_name = BOOL, hide_short_help = true)]
    assume_yes: Option<bool>,

    /// Ignored: the command never reads that file
    #[arg(long, value_name = BOOL, hide_short_help = true)]
    ignore_aliyun_cli_credentials: Option<bool>,

    /// Ignored: the command sends no request
    #[arg(long, value_name = "ENDPOINT", hide_short_help = true)]
    cs_endpoint: Option<String>,

    /// Ignored: the command sends no request
    #[arg(long, value_name = "ENDPOINT", hide_short_help = true)]
    ram_endpoint: Option<String>,

    /// Ignored: the command sends no request
    #[arg(long, value_name = "ENDPOINT", hide_short_help = true)]
    sts_endpoint: Option<String>,

    /// Ignored: the command sends no request
    #[arg(long, value_name = "REGION", hide_short_help = true)]
    region_id: Option<String>,

    /// Ignored: set the variable ACK_RAM_AUTHENTICATOR_LOG instead
    #[arg(long, value_name = "LEVEL", hide_short_help = true)]
    log_level: Option<String>,

    /// Ignored: set the variable ACK_RAM_AUTHENTICATOR_LOG instead
    #[arg(long, short, value_name = BOOL, hide_short_help = true)]
    verbose: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CredentialType {
    Auto,
    Imds,
}

/// Returns the failure for options of ack-ram-tool before a command that ack-ram-tool does not have.
pub(super) fn misplaced_options() -> CommandFailure {
    CommandFailure::Usage("only `credential-plugin` accepts the options of ack-ram-tool".to_owned())
}

impl ToolOptions {
    /// Refuses options that select an identity other than that of the access key in the environment.
    pub(super) fn refuse_other_identities(&self) -> Result<(), CommandFailure> {
        let is_imds = self.credential_type == Some(CredentialType::Imds);
        refuse_first(&[
            ("--credential-type", is_imds),
            (
                "--ignore-env-credentials",
                self.ignore_env_credentials == Some(true),
            ),
            ("--profile-file", is_set(self.profile_file.as_deref())),
            ("--profile-name", is_set(self.profile_name.as_deref())),
        ])
    }
}

/// Refuses variables that have the same meaning as the options that [`ToolOptions::refuse_other_identities`] refuses.
pub(super) fn refuse_other_identities(variables: &Variables<'_>) -> Result<(), CommandFailure> {
    const CREDENTIAL_TYPE: &str = "ACK_RAM_TOOL_CREDENTIAL_TYPE";
    const IGNORE_ENV_CREDENTIALS: &str = "ACK_RAM_TOOL_IGNORE_ENV_CREDENTIALS";
    const PROFILE_FILE: &str = "ACK_RAM_TOOL_PROFILE_FILE";
    const PROFILE_NAME: &str = "ACK_RAM_TOOL_PROFILE_NAME";
    // The values that Go's `strconv.ParseBool` reads as true.
    let is_true = |value: String| matches!(&*value, "1" | "t" | "T" | "true" | "TRUE" | "True");
    refuse_first(&[
        (
            CREDENTIAL_TYPE,
            variables(CREDENTIAL_TYPE).is_some_and(|value| value == "imds"),
        ),
        (
            IGNORE_ENV_CREDENTIALS,
            variables(IGNORE_ENV_CREDENTIALS).is_some_and(is_true),
        ),
        (PROFILE_FILE, is_set(variables(PROFILE_FILE).as_deref())),
        (PROFILE_NAME, is_set(variables(PROFILE_NAME).as_deref())),
    ])
}

/// Returns the failure for the option or variable `name`, which selects another identity.
pub(super) fn other_identity_refused(name: &str) -> CommandFailure {
    CommandFailure::Failed(format!(
        "`{name}` is not supported in this version: it selects an identity other than that of the access key in the environment; leave it out, and set `ALIBABA_CLOUD_ACCESS_KEY_ID` and `ALIBABA_CLOUD_ACCESS_KEY_SECRET` to a key of that identity"
    ))
}

fn refuse_first(settings: &[(&str, bool)]) -> Result<(), CommandFailure> {
    match settings.iter().find(|(_, is_set)| *is_set) {
        Some((name, _)) => Err(other_identity_refused(name)),
        None => Ok(()),
    }
}

/// Returns whether a value is given. An empty value counts as none, as in ack-ram-tool.
pub(super) fn is_set(value: Option<&str>) -> bool {
    value.is_some_and(|value| !value.is_empty())
}
