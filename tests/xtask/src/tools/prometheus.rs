//! promtool: the one on `PATH`, or Debian's.

use std::path::PathBuf;

use super::{apt, cache, on_path};
use crate::failure::Failure;
use crate::run::Runner;

/// Where promtool is.
pub fn promtool(runner: &Runner) -> Result<PathBuf, Failure> {
    if let Some(found) = on_path("promtool") {
        return Ok(found);
    }
    let unpacked = cache::entry("prometheus-debian", |folder| {
        eprintln!("      fetching promtool");
        apt::unpack(runner, "promtool", "prometheus", folder)
    })?;
    Ok(unpacked.join("usr/bin/promtool"))
}
