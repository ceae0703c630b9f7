//! Reads a token from the command line or standard input, and asks STS who signed it.

use std::io::{self, Read as _};

use ack_ram_analysis::inspect;
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::secret::Secret;
use tokio::runtime;

use crate::authenticator::{DecisionRecord, IdentityResolver, ResolvedIdentity};
use crate::cli::failure::CommandFailure;
use crate::clock;
use crate::config::Sts;
use crate::metrics::StsMetrics;
use crate::sts::{CredentialStandings, Requester, StsClient};

/// The limit for standard input. Tokens, also in an `ExecCredential`, are much shorter.
const MAX_INPUT_BYTES: u64 = 64 * 1024;

/// The source of a token.
///
/// Holds a [`Secret`], so that the `Debug` output of the arguments does not contain the token.
#[derive(Clone, Debug)]
pub(super) enum TokenSource {
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

impl TokenSource {
    /// Reads the token, and extracts it from an `ExecCredential` or other text around it.
    pub(super) fn read(&self) -> Result<Secret, CommandFailure> {
        let text = match self {
            Self::Argument(text) => text.clone(),
            Self::StandardInput => read_standard_input()?,
        };
        let mut found = inspect::extract_tokens(text.expose())?;
        if found.len() > 1 {
            tracing::warn!("the input contains several tokens; this command uses the first");
        }
        Ok(found.swap_remove(0).token)
    }
}

fn read_standard_input() -> Result<Secret, CommandFailure> {
    let mut text = String::new();
    io::stdin()
        .take(MAX_INPUT_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| {
            CommandFailure::Failed(format!(
                "cannot read the token from standard input: {error}"
            ))
        })?;
    match text.trim() {
        "" => Err(CommandFailure::Failed(
            "no token on standard input; check the command that prints it".to_owned(),
        )),
        text => Ok(Secret::new(text)),
    }
}

/// Asks STS who signed `token`. Returns the identity, or the decision about a token that proves no identity.
pub(super) fn resolve_identity(
    policy: TokenPolicy,
    sts: &Sts,
    token: &Secret,
) -> Result<Result<ResolvedIdentity, Box<DecisionRecord>>, CommandFailure> {
    let metrics = StsMetrics::disabled().map_err(|error| {
        CommandFailure::Failed(format!(
            "cannot set up the metrics of calls to STS: {error}"
        ))
    })?;
    let client = StsClient::new(sts, &metrics)?;
    let resolver = IdentityResolver::new(policy, client, &sts.limits, &metrics, clock::now);
    let identified = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            CommandFailure::Failed(format!("cannot start the async runtime: {error}"))
        })?
        .block_on(resolver.resolve(token, Requester::ApiServer, &CredentialStandings::default()));
    Ok(identified)
}
