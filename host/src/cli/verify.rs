//! `verify`: asks STS whose a token is.

use std::io::{self, Read as _};

use ack_ram_core::decision::Decision;
use ack_ram_core::identity::Identity;
use ack_ram_core::secret::Secret;
use ack_ram_core::token::FAMILY_PREFIX;
use clap::{Args, ValueEnum};
use tokio::runtime;

use crate::authenticator::Identifier;
use crate::cli::args::Globals;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::{self, Overrides};
use crate::env;
use crate::sts::StsClient;

/// No token is nearly as long.
const MAX_INPUT_BYTES: u64 = 64 * 1024;

/// Ask STS whose a token is
///
/// Checks the token as the server would, and prints the identity that STS gives. Which Kubernetes user that is, is
/// not looked at.
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  ack-ram-authenticator token --token-only -i ID | ack-ram-authenticator verify --token - -i ID
  ack-ram-authenticator verify --token \"$TOKEN\" --cluster-id ID --output json")]
pub(super) struct VerifyArgs {
    /// The token; `-` reads it from standard input, where no other process sees it
    #[arg(long, short, value_name = "TOKEN", allow_hyphen_values = true)]
    token: TokenSource,

    /// The form of what is printed
    #[arg(long, short, value_enum, value_name = "FORMAT", default_value = "text")]
    output: OutputFormat,
}

/// Not a plain text: the arguments are printed when they are debugged, and a token must not be.
#[derive(Clone, Debug)]
enum TokenSource {
    StandardInput,
    Argument(Secret),
}

impl From<String> for TokenSource {
    fn from(text: String) -> Self {
        match text.as_str() {
            "-" => Self::StandardInput,
            _ => Self::Argument(Secret::new(text)),
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OutputFormat {
    Text,
    Json,
}

pub(super) fn run(args: &VerifyArgs, globals: &Globals) -> Result<(), Failure> {
    let overrides = Overrides {
        cluster_id: globals.cluster_id.clone(),
        ..Overrides::default()
    };
    let config = config::load_client(&globals.sources(&overrides))?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let identifier = Identifier {
        policy: config.policy,
        sts: StsClient::new(&config.sts)?,
        clock: env::now,
    };
    let token = args.token.read()?;
    let verified = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Failed(format!("cannot wait for STS: {error}")))?
        .block_on(identifier.identify(&token))
        .map_err(|decision| Failure::Failed(refusal(&decision)))?;
    output::print(&match args.output {
        OutputFormat::Json => output::json(verified.identity(), "    ")?,
        OutputFormat::Text => text(verified.identity()),
    })
}

impl TokenSource {
    fn read(&self) -> Result<Secret, Failure> {
        match self {
            Self::Argument(token) => Ok(token.clone()),
            Self::StandardInput => {
                let mut text = String::new();
                io::stdin()
                    .take(MAX_INPUT_BYTES)
                    .read_to_string(&mut text)
                    .map_err(|error| {
                        Failure::Failed(format!(
                            "cannot read the token from standard input: {error}"
                        ))
                    })?;
                match text.trim() {
                    "" => Err(Failure::Failed(
                        "no token on standard input; what was to print it failed".to_owned(),
                    )),
                    token => Ok(Secret::new(token)),
                }
            }
        }
    }
}

fn refusal(decision: &Decision) -> String {
    decision.reason().unwrap_or_else(|| {
        format!("the token is none of ack-ram-authenticator's, which start with `{FAMILY_PREFIX}`")
    })
}

fn text(identity: &Identity) -> String {
    format!(
        "\
type:          {}
arn:           {}
canonicalArn:  {}
accountId:     {}
userId:        {}
sessionName:   {}
accessKeyId:   {}
",
        identity.kind(),
        identity.arn,
        identity.arn.canonical(),
        identity.account_id(),
        identity.user_id,
        identity.session_name(),
        identity.access_key_id,
    )
}
