//! Replaces `mapping` in a program without the commands of the server.

use ack_ram_client::finding::Findings;
use ack_ram_core::identity::Identity;

use crate::cli::args::Globals;

/// Adds nothing: this program reads no mappings.
pub(super) fn examine(_: &Identity, _: &Globals, _: &mut Findings) {}
