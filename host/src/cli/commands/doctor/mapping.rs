//! What the configuration file of the command makes of an identity.

use ack_ram_client::finding::{Findings, Topic};
use ack_ram_core::identity::Identity;

use crate::cli::args::Globals;
use crate::cli::commands::administration::explain_identity;

/// Adds a finding about the user in a cluster with the configuration file. A file without mappings says nothing about
/// the user.
pub(super) fn examine(identity: &Identity, globals: &Globals, findings: &mut Findings) {
    if globals.config.is_none() {
        return;
    }
    let trace = match explain_identity(identity, globals) {
        Ok(trace) => trace,
        Err(failure) => {
            let (cause, remedy) = failure.into_cause_and_remedy();
            return findings.advise(Topic::Token, cause, remedy);
        }
    };
    match &trace.user {
        Some(user) => findings.note(
            Topic::Token,
            format!(
                "the configuration file maps you to the user `{}`",
                user.username.escape_debug()
            ),
        ),
        None if trace.backends.iter().all(|backend| backend.rules == 0) => {}
        None => findings.advise(
            Topic::Token,
            "the configuration file maps you to no user",
            "if the server has no other mappings, ask an administrator to map your identity; `ack-ram-authenticator whoami` with the same options says why",
        ),
    }
}
