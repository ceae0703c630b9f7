//! etcd: the one on `PATH`, or Debian's.

use std::path::PathBuf;

use super::on_path_or_debian;
use crate::failure::Failure;
use crate::run::Runner;

/// Where etcd is.
pub fn find(runner: &Runner) -> Result<PathBuf, Failure> {
    on_path_or_debian(runner, "etcd", "etcd-server", "usr/bin/etcd")
}
