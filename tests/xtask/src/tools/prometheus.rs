//! promtool, from `PATH` or from Debian.

use std::path::PathBuf;

use super::on_path_or_debian;
use crate::failure::Failure;
use crate::run::Runner;

/// Returns the path of promtool.
pub fn promtool(runner: &Runner) -> Result<PathBuf, Failure> {
    on_path_or_debian(runner, "promtool", "prometheus", "usr/bin/promtool")
}
