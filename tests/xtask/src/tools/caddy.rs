//! Caddy: the one on `PATH`, or Debian's.

use std::path::PathBuf;

use super::on_path_or_debian;
use crate::failure::Failure;
use crate::run::Runner;

/// Returns where Caddy is.
pub fn find(runner: &Runner) -> Result<PathBuf, Failure> {
    on_path_or_debian(runner, "caddy", "caddy", "usr/bin/caddy")
}
