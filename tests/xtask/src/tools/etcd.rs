//! etcd, from `PATH` or from Debian.

use std::path::PathBuf;

use super::on_path_or_debian;
use crate::failure::Failure;
use crate::run::Runner;

/// Returns the path of etcd.
pub fn find(runner: &Runner) -> Result<PathBuf, Failure> {
    on_path_or_debian(runner, "etcd", "etcd-server", "usr/bin/etcd")
}
