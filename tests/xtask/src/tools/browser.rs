//! A browser, and the checker of accessibility that runs in it.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use super::{apt, cache, on_path};
use crate::failure::Failure;
use crate::run::Runner;

const CHROMIUM: &str = "chromium";
const AXE_VERSION: &str = "4.14.1";

/// Where Chromium is. It is Debian's, unless `ACK_RAM_CHROMIUM` names another.
pub fn chromium(runner: &Runner) -> Result<PathBuf, Failure> {
    let named = env::var_os("ACK_RAM_CHROMIUM").map(PathBuf::from);
    if let Some(path) = named.or_else(|| on_path(CHROMIUM)) {
        return Ok(path);
    }
    eprintln!("      installing Debian's {CHROMIUM}");
    // The second has the Chinese characters for pictures of the page.
    apt::install(runner, "a browser", &[CHROMIUM, "fonts-noto-cjk"])?;
    on_path(CHROMIUM).ok_or_else(|| Failure::Missing {
        what: "a browser",
        remedy: format!("install {CHROMIUM}, or name one by ACK_RAM_CHROMIUM"),
    })
}

/// axe-core's script. Only tests use it.
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
