//! cargo-deny: the one on `PATH`, or one built here.

use std::process::Command;

use super::{cache, on_path};
use crate::cargo;
use crate::failure::Failure;
use crate::run::Runner;

const VERSION: &str = "0.20.2";

/// A command line that starts with cargo-deny.
pub fn find(runner: &Runner) -> Result<Command, Failure> {
    let program = match on_path("cargo-deny") {
        Some(found) => found,
        None => cache::entry(&format!("cargo-deny-{VERSION}"), |folder| {
            eprintln!("      building cargo-deny {VERSION} (about a minute and a half)");
            let mut install = cargo::cargo(&["install", "cargo-deny", "--locked"]);
            install
                .args(["--version", VERSION, "--root"])
                .arg(folder)
                .arg("--target-dir")
                .arg(folder.with_file_name("target"))
                // It checks this workspace in a second all the same, and builds five times as fast.
                .arg("--debug");
            runner.run("cargo install cargo-deny", install).map(drop)
        })?
        .join("bin/cargo-deny"),
    };
    let mut command = Command::new(program);
    cargo::forget_xtask(&mut command);
    Ok(command)
}
