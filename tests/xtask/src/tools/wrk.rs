//! wrk, which sends load: the one on `PATH`, or Debian's.

use std::path::PathBuf;

use super::{apt, cache, on_path};
use crate::failure::Failure;
use crate::run::Runner;

/// Where wrk is.
pub fn find(runner: &Runner) -> Result<PathBuf, Failure> {
    if let Some(found) = on_path("wrk") {
        return Ok(found);
    }
    let unpacked = cache::entry("wrk-debian", |folder| {
        eprintln!("      fetching wrk");
        apt::unpack(runner, "wrk", "wrk", folder)
    })?;
    Ok(unpacked.join("usr/bin/wrk"))
}
