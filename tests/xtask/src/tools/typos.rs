//! typos, a spell checker for source code.

use std::path::PathBuf;

use super::pypi;
use crate::failure::Failure;
use crate::run::Runner;

const VERSION: &str = "1.40.0";

/// Returns the path of typos. Installs it into the cache if necessary.
pub fn find(runner: &Runner) -> Result<PathBuf, Failure> {
    Ok(pypi::install(runner, "typos", VERSION)?.join("bin/typos"))
}
