//! The configuration of commands that need a token, but no cluster.

use crate::cli::args::Globals;
use crate::cli::failure::CommandFailure;
use crate::config::{self, ClientConfig, ConfigSources, Diagnostic, DiagnosticCode, Overrides};

/// A cluster ID as long as those of ACK, so that a token has its usual size.
const ANY_CLUSTER: &str = "c00000000000000000000000000000000";

/// Loads the configuration of a client from the options of a command. Without a cluster ID, a placeholder is used.
///
/// Also returns whether there is a cluster ID.
pub(in crate::cli) fn load_for_any_cluster(
    globals: &Globals,
) -> Result<(ClientConfig, bool), CommandFailure> {
    globals.configuration(load_sources_for_any_cluster, Overrides::default())
}

/// Does the same as [`load_for_any_cluster`] with other sources than the options of the command.
pub(in crate::cli) fn load_sources_for_any_cluster(
    sources: &ConfigSources<'_>,
) -> Result<(ClientConfig, bool), Diagnostic> {
    match config::load_client(sources) {
        Err(error) if error.code == DiagnosticCode::NoClusterId => {
            let overrides = Overrides {
                cluster_id: Some(ANY_CLUSTER.to_owned()),
                ..sources.overrides.clone()
            };
            let sources = ConfigSources {
                overrides: &overrides,
                ..*sources
            };
            Ok((config::load_client(&sources)?, false))
        }
        result => Ok((result?, true)),
    }
}
