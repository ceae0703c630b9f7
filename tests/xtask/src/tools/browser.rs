//! Chromium, and the accessibility checker that runs in it.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use super::{apt, cache, on_path};
use crate::failure::Failure;
use crate::run::Runner;

const CHROMIUM: &str = "chromium";
const AXE_VERSION: &str = "4.14.1";

/// Returns the path of Chromium, from `ACK_RAM_CHROMIUM`, `PATH` or Debian.
pub fn chromium(runner: &Runner) -> Result<PathBuf, Failure> {
    let named = env::var_os("ACK_RAM_CHROMIUM").map(PathBuf::from);
    if let Some(path) = named.or_else(|| on_path(CHROMIUM)) {
        return Ok(path);
    }
    eprintln!("      installing Debian's {CHROMIUM}");
    // The font contains the Chinese characters for screenshots of the page.
    apt::install(runner, "a browser", &[CHROMIUM, "fonts-noto-cjk"])?;
    on_path(CHROMIUM).ok_or_else(|| Failure::Missing {
        what: "a browser",
        remedy: format!("install {CHROMIUM}, or set ACK_RAM_CHROMIUM"),
    })
}

/// Returns the path of the script of axe-core, which only tests use.
pub fn axe(runner: &Runner) -> Result<PathBuf, Failure> {
    let package = format!("axe-core-{AXE_VERSION}");
    let folder = cache::entry(&package, |folder| {
        if on_path("npm").is_none() {
            apt::install(runner, "axe-core, which tests accessibility", &["npm"])?;
        }
        let mut pack = Command::new("npm");
        pack.args(["pack", "--silent", &format!("axe-core@{AXE_VERSION}")])
            .current_dir(folder);
        runner.run("npm pack axe-core", pack)?;
        let mut unpack = Command::new("tar");
        unpack
            .args(["--extract", "--gzip", "--strip-components=1"])
            .arg(format!("--file={package}.tgz"))
            .args(["package/axe.min.js", "package/LICENSE"])
            .current_dir(folder);
        runner.run("unpack axe-core", unpack).map(drop)
    })?;
    Ok(folder.join("axe.min.js"))
}
