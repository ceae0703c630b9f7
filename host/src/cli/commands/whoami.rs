//! `whoami`: asks STS whose access key the configured one is.

#[cfg_attr(not(feature = "server"), path = "whoami/no_mapping.rs")]
mod mapping;

use ack_ram_client::environment::Environment;
use ack_ram_client::flow::Obtained;
use ack_ram_client::plan::PlanSummary;
use ack_ram_core::identity::Identity;
use ack_ram_core::time::UnixTime;
use clap::Args;
use serde::Serialize;

use crate::cli::args::Globals;
use crate::cli::client::{ClientOptions, KeySource, OwnedKey, load_for_any_cluster};
use crate::cli::failure::CommandFailure;
use crate::cli::identity_page;
use crate::cli::output::{self, OutputFormat};
use mapping::Mapping;

/// Ask STS who you are
///
/// Asks STS who owns the access key that `token` would use. Prints the identity, where the key comes from, and when the
/// key expires.
///
/// With --config, the command also prints which Kubernetes user you are in a cluster with this configuration, and why,
/// as `explain` does. The command does not read the mappings in the cluster itself.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  ack-ram-authenticator whoami
      Show the owner of the access key in the environment, or of the current profile
  ack-ram-authenticator whoami --profile-name dev --role-arn acs:ram::1234567890123456:role/dev
      Show the session of a role
  ack-ram-authenticator whoami -c config.yaml --output json
      Show the user in the cluster, too

Exit codes:
  0  The identity is printed.
  1  No identity is printed; or, with --config, the cluster denies access.
  2  The command line is wrong.")]
pub(in crate::cli) struct WhoamiArgs {
    /// Output format
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "text")]
    output: OutputFormat,

    #[command(flatten)]
    pub(super) client: ClientOptions,
}

/// The answer, as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Whoami<'a> {
    identity: &'a Identity,
    /// The steps that led to the key.
    source: &'a PlanSummary,
    /// The end of the key; `None` if the key is permanent, or if its end is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<UnixTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mapping: Option<&'a Mapping>,
}

pub(super) fn run(
    args: &WhoamiArgs,
    globals: &Globals,
    environment: Environment,
) -> Result<(), CommandFailure> {
    let (config, _) = load_for_any_cluster(globals)?;
    for warning in &config.warnings {
        tracing::warn!("{}", warning.warning_text());
    }
    let settings = args.client.settings(&environment)?;
    let call = &args.client.call;
    let mut source = KeySource::new(settings, call, &config, environment)?;
    let OwnedKey { plan, key, caller } = source.ask_sts(call, &config)?;
    let identity = &caller.identity;
    let mapping = Mapping::explain(identity, globals)?;
    let answer = Whoami {
        identity,
        source: &plan.summary(),
        expires: key.expires,
        mapping: mapping.as_ref(),
    };
    output::print(&match args.output {
        OutputFormat::Json => output::json(&answer, "  ")?,
        OutputFormat::Text => text(&answer, &key)?,
    })?;
    match mapping.is_some_and(|mapping| mapping.is_denied()) {
        true => Err(CommandFailure::Negative),
        false => Ok(()),
    }
}

fn text(answer: &Whoami<'_>, key: &Obtained) -> Result<String, CommandFailure> {
    let end = match (answer.expires, &key.key.security_token) {
        (Some(end), _) => end.to_string(),
        (None, Some(_)) => "unknown".to_owned(),
        (None, None) => "never".to_owned(),
    };
    let mut page = format!(
        "{}source:        {}\nexpires:       {end}\n",
        identity_page::rows(answer.identity),
        answer.source.text()
    );
    if let Some(mapping) = answer.mapping {
        page.push('\n');
        page.push_str(&mapping.text()?);
    }
    Ok(page)
}
