//! How a configuration maps the identity.

use ack_ram_analysis::explain::Trace;
use ack_ram_core::identity::Identity;
use serde::Serialize;

use crate::cli::args::Globals;
use crate::cli::commands::administration::{explain_identity, mapping_text};
use crate::cli::failure::CommandFailure;

/// The steps that lead to a user, or to a denial.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Mapping(Trace);

impl Mapping {
    /// Explains an identity by the configuration file; `None` without a file.
    pub(super) fn explain(
        identity: &Identity,
        globals: &Globals,
    ) -> Result<Option<Self>, CommandFailure> {
        match &globals.config {
            Some(_) => Ok(Some(Self(explain_identity(identity, globals)?))),
            None => Ok(None),
        }
    }

    /// Returns whether the cluster would deny access.
    pub(super) fn is_denied(&self) -> bool {
        self.0.user.is_none()
    }

    /// Returns the steps as text.
    pub(super) fn text(&self) -> Result<String, CommandFailure> {
        mapping_text(&self.0)
    }
}
