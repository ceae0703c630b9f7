//! cargo-fuzz: the one on `PATH`, or one built here.

use std::process::Command;

use super::{cache, on_path};
use crate::cargo;
use crate::failure::Failure;
use crate::run::Runner;

const VERSION: &str = "0.13.2";

/// A command line that starts with cargo-fuzz.
pub fn find(runner: &Runner) -> Result<Command, Failure> {
    let program = match on_path("cargo-fuzz") {
        Some(found) => found,
        None => cache::entry(&format!("cargo-fuzz-{VERSION}"), |folder| {
            eprintln!("      building cargo-fuzz {VERSION} (half a minute)");
            let mut install = cargo::cargo(&["install", "cargo-fuzz", "--locked"]);
            install
                .args(["--version", VERSION, "--root"])
                .arg(folder)
                .arg("--target-dir")
                .arg(folder.with_file_name("target"))
                // It only starts others.
                .arg("--debug");
            runner.run("cargo install cargo-fuzz", install).map(drop)
        })?
        .join("bin/cargo-fuzz"),
    };
    let mut command = Command::new(program);
    cargo::forget_xtask(&mut command);
    // What cargo gives its subcommands.
    command.arg("fuzz");
    Ok(command)
}
