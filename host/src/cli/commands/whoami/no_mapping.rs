//! Replaces `mapping` in a program without the commands of the server.

use ack_ram_core::identity::Identity;
use serde::Serialize;

use crate::cli::args::Globals;
use crate::cli::failure::CommandFailure;

/// A mapping, which this program cannot explain.
#[derive(Serialize)]
pub(super) enum Mapping {}

impl Mapping {
    pub(super) fn explain(
        _identity: &Identity,
        globals: &Globals,
    ) -> Result<Option<Self>, CommandFailure> {
        if globals.config.is_some() {
            tracing::warn!(
                "this program has no `explain`, so it does not show your user in the cluster; use the program with the server"
            );
        }
        Ok(None)
    }

    pub(super) fn is_denied(&self) -> bool {
        match *self {}
    }

    pub(super) fn text(&self) -> Result<String, CommandFailure> {
        match *self {}
    }
}
