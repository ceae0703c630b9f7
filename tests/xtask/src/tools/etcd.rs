//! etcd: the one on `PATH`, or Debian's.

use std::path::PathBuf;

use super::{apt, cache, on_path};
use crate::failure::Failure;
use crate::run::Runner;

/// Where etcd is.
pub fn find(runner: &Runner) -> Result<PathBuf, Failure> {
    if let Some(found) = on_path("etcd") {
        return Ok(found);
    }
    let unpacked = cache::entry("etcd-debian", |folder| {
        eprintln!("      fetching etcd");
        apt::unpack(runner, "etcd", "etcd-server", folder)
    })?;
    Ok(unpacked.join("usr/bin/etcd"))
}
