//! Packages of Debian.

use std::path::Path;
use std::process::Command;

use nix::unistd::geteuid;

use super::on_path;
use crate::failure::Failure;
use crate::run::Runner;

/// Installs `packages`, as root or with sudo. `what` describes their purpose in an error.
pub fn install(runner: &Runner, what: &'static str, packages: &[&str]) -> Result<(), Failure> {
    require_apt(what, packages)?;
    update(runner)?;
    let options = ["install", "--yes", "--no-install-recommends"];
    let command = as_root(&[&options[..], packages].concat());
    runner.run("apt-get install", command).map(drop)
}

/// Unpacks `package` into `folder` without an installation, so that no service starts.
pub fn unpack(
    runner: &Runner,
    what: &'static str,
    package: &str,
    folder: &Path,
) -> Result<(), Failure> {
    require_apt(what, &[package])?;
    let download = || {
        let mut command = Command::new("apt-get");
        command.args(["download", package]).current_dir(folder);
        command
    };
    let found = runner.attempt(super::DOWNLOAD_LIMIT, "apt-get download", download())?;
    if !found.status.success() {
        // A new machine has no package lists yet.
        update(runner)?;
        runner.run("apt-get download", download())?;
    }
    let mut extract = Command::new("sh");
    extract
        .args(["-c", "dpkg-deb --extract ./*.deb . && rm ./*.deb"])
        .current_dir(folder);
    runner.run("dpkg-deb", extract).map(drop)
}

fn update(runner: &Runner) -> Result<(), Failure> {
    runner.run("apt-get update", as_root(&["update"])).map(drop)
}

fn require_apt(what: &'static str, packages: &[&str]) -> Result<(), Failure> {
    if on_path("apt-get").is_some() {
        return Ok(());
    }
    let names = packages.join(" ");
    Err(Failure::Missing {
        what,
        remedy: format!(
            "apt-get is not available; install the equivalent of the Debian packages {names}"
        ),
    })
}

fn as_root(args: &[&str]) -> Command {
    let mut command = if geteuid().is_root() {
        Command::new("apt-get")
    } else {
        let mut sudo = Command::new("sudo");
        // The checks also run unattended, where nobody can type a password.
        sudo.args(["--non-interactive", "apt-get"]);
        sudo
    };
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive");
    command
}
