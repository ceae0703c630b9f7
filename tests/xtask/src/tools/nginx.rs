//! nginx, from `PATH` or from Debian.

use std::path::PathBuf;

use super::on_path_or_debian;
use crate::failure::Failure;
use crate::run::Runner;

/// Returns the path of nginx.
pub fn find(runner: &Runner) -> Result<PathBuf, Failure> {
    on_path_or_debian(runner, "nginx", "nginx", "usr/sbin/nginx")
}
