//! `ip`, for the tests with their own network namespace.

use super::{apt, on_path};
use crate::failure::Failure;
use crate::run::Runner;

/// Installs `ip` if it is missing.
pub fn require(runner: &Runner) -> Result<(), Failure> {
    if on_path("ip").is_some() {
        return Ok(());
    }
    apt::install(runner, "ip", &["iproute2"])
}
