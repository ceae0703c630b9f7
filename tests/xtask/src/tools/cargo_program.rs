//! Subcommands of cargo, from `PATH` or built from crates.io.

use std::process::Command;

use super::{cache, on_path};
use crate::cargo;
use crate::failure::Failure;
use crate::run::Runner;

/// The program that checks licenses, bans and sources.
pub const CARGO_DENY: CargoProgram = CargoProgram {
    name: "cargo-deny",
    version: "0.20.2",
    building: "about a minute and a half",
};

/// The program that builds fuzz targets.
pub const CARGO_FUZZ: CargoProgram = CargoProgram {
    name: "cargo-fuzz",
    version: "0.13.2",
    building: "half a minute",
};

/// The program that changes code and checks that a test fails.
pub const CARGO_MUTANTS: CargoProgram = CargoProgram {
    name: "cargo-mutants",
    version: "27.1.0",
    building: "about a minute and a half",
};

/// A subcommand of cargo from crates.io.
pub struct CargoProgram {
    name: &'static str,
    version: &'static str,
    building: &'static str,
}

impl CargoProgram {
    /// Builds a command of the program. Installs the program first if it is missing.
    pub fn command(&self, runner: &Runner) -> Result<Command, Failure> {
        let Self {
            name,
            version,
            building,
        } = self;
        let program = match on_path(name) {
            Some(found) => found,
            None => cache::entry(&format!("{name}-{version}"), |folder| {
                eprintln!("      building {name} {version} ({building})");
                let mut install = cargo::cargo(&["install", name, "--locked"]);
                install
                    .args(["--version", version, "--root"])
                    .arg(folder)
                    .arg("--target-dir")
                    .arg(folder.with_file_name("target"))
                    // Debug builds are five times as fast to build, and fast enough to run.
                    .arg("--debug");
                runner
                    .run(&format!("cargo install {name}"), install)
                    .map(drop)
            })?
            .join("bin")
            .join(name),
        };
        let mut command = Command::new(program);
        cargo::remove_xtask_variables(&mut command);
        Ok(command)
    }
}
