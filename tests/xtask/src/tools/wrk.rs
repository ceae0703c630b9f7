//! The load generator wrk, from `PATH` or from Debian.

use std::path::PathBuf;

use super::{apt, on_path};
use crate::failure::Failure;
use crate::run::Runner;

/// Returns the path of wrk. Installs the package if it is missing, because wrk needs its libraries.
pub fn find(runner: &Runner) -> Result<PathBuf, Failure> {
    if on_path("wrk").is_none() {
        eprintln!("      installing Debian's wrk");
        apt::install(runner, "the load generator wrk", &["wrk"])?;
    }
    on_path("wrk").ok_or_else(|| Failure::Missing {
        what: "wrk",
        remedy: "install wrk".to_owned(),
    })
}
