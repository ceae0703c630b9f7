//! `ip`, for the tests that have a network of their own.

use super::{apt, on_path};
use crate::failure::Failure;
use crate::run::Runner;

/// Gets it where it is missing.
pub fn require(runner: &Runner) -> Result<(), Failure> {
    if on_path("ip").is_some() {
        return Ok(());
    }
    apt::install(runner, "ip", &["iproute2"])
}
