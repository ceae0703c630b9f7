//! nginx: the one on `PATH`, or Debian's.

use std::path::PathBuf;

use super::{apt, cache, on_path};
use crate::failure::Failure;
use crate::run::Runner;

/// Where nginx is.
pub fn find(runner: &Runner) -> Result<PathBuf, Failure> {
    if let Some(found) = on_path("nginx") {
        return Ok(found);
    }
    let unpacked = cache::entry("nginx-debian", |folder| {
        eprintln!("      fetching nginx");
        apt::unpack(runner, "nginx", "nginx", folder)
    })?;
    Ok(unpacked.join("usr/sbin/nginx"))
}
