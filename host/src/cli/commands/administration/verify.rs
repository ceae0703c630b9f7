//! `verify`: asks STS who signed a token.

use ack_ram_core::protocol::FAMILY_PREFIX;
use clap::Args;

use crate::authenticator::DecisionRecord;
use crate::cli::args::Globals;
use crate::cli::failure::CommandFailure;
use crate::cli::identity_page;
use crate::cli::output::{self, OutputFormat};
use crate::cli::token_source::{self, TokenSource};
use crate::config::{self, Overrides};

/// Ask STS who signed a token
///
/// Checks the token as a server does, calls STS, and prints the identity that STS returns. Use `explain` to see how the
/// identity is mapped to a Kubernetes user.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  ack-ram-authenticator token -i ID | ack-ram-authenticator verify --token - -i ID
  ack-ram-authenticator verify --token \"$TOKEN\" --cluster-id ID --output json

Exit codes:
  0  The identity is printed.
  1  The token is refused, or STS did not answer.
  2  The command line is wrong.")]
pub(in crate::cli) struct VerifyArgs {
    /// Token, or an ExecCredential that contains it; `-` reads it from standard input, hidden from other processes
    #[arg(long, short, value_name = "TOKEN", allow_hyphen_values = true)]
    token: TokenSource,

    /// Output format
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "text")]
    output: OutputFormat,
}

pub(super) fn run(args: &VerifyArgs, globals: &Globals) -> Result<(), CommandFailure> {
    let config = globals.configuration(config::load_client, Overrides::default())?;
    for warning in &config.warnings {
        tracing::warn!("{}", warning.warning_text());
    }
    let token = args.token.read()?;
    let verified = token_source::resolve_identity(config.policy, &config.sts, &token)?
        .map_err(|decided| CommandFailure::Failed(refusal_text(&decided)))?;
    let identity = verified.identity.identity();
    output::print(&match args.output {
        OutputFormat::Json => output::json(identity, "    ")?,
        OutputFormat::Text => identity_page::rows(identity),
    })
}

fn refusal_text(decided: &DecisionRecord) -> String {
    decided.reason().unwrap_or_else(|| {
        format!(
            "the token is not an ack-ram-authenticator token, which starts with `{FAMILY_PREFIX}`"
        )
    })
}
