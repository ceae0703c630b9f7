//! wrk, which sends load: the one on `PATH`, or Debian's.

use std::path::PathBuf;

use super::{apt, on_path};
use crate::failure::Failure;
use crate::run::Runner;

/// Where wrk is. It has libraries of its own, so that it is installed.
pub fn find(runner: &Runner) -> Result<PathBuf, Failure> {
    if on_path("wrk").is_none() {
        eprintln!("      installing Debian's wrk");
        apt::install(runner, "wrk, which sends load", &["wrk"])?;
    }
    on_path("wrk").ok_or_else(|| Failure::Missing {
        what: "wrk",
        remedy: "install it".to_owned(),
    })
}
