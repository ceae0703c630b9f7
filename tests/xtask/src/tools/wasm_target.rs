//! Toolchains that build for wasm32-unknown-unknown.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clap::ValueEnum;

use super::{apt, on_path};
use crate::cargo::{self, cargo};
use crate::failure::Failure;
use crate::run::Runner;

/// The target triple of the WebAssembly modules.
pub const TARGET: &str = "wasm32-unknown-unknown";
/// How long rustup may take. It waits for a long time if its downloads are blocked.
const RUSTUP_LIMIT: Duration = Duration::from_secs(120);

const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld"];
const DEBIAN_FILES: [&str; 4] = [
    "/usr/bin/rustc",
    "/usr/bin/cargo",
    "/usr/bin/wasm-ld",
    "/usr/lib/rustlib/src/rust/library/Cargo.lock",
];

/// A toolchain that builds WebAssembly modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Toolchain {
    /// The current toolchain with the target installed
    Rustup,
    /// rustc-web of Debian, which builds the standard library from source
    Debian,
}

/// The variant of the standard library, where it is built from source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Std {
    /// The variant that rustup distributes.
    Fast,
    /// The variant with smaller algorithms.
    Small,
}

impl Toolchain {
    /// Returns the first toolchain that works. The one of Debian, which needs root, is the last choice.
    pub fn find(runner: &Runner) -> Result<Self, Failure> {
        match Self::Rustup.prepare(runner) {
            Err(Failure::Missing { .. }) => Self::Debian.prepare(runner),
            found => found,
        }
    }

    /// Installs the missing parts of this toolchain.
    pub fn prepare(self, runner: &Runner) -> Result<Self, Failure> {
        match self {
            Self::Rustup => {
                if !has_target() {
                    add_target(runner)?;
                }
                if !has_source() {
                    add_source(runner)?;
                }
            }
            Self::Debian if DEBIAN_FILES.iter().all(|file| Path::new(file).exists()) => {}
            Self::Debian => {
                eprintln!("      installing Debian's {}", DEBIAN_PACKAGES.join(" "));
                apt::install(runner, "a toolchain for wasm", &DEBIAN_PACKAGES)?;
            }
        }
        Ok(self)
    }

    /// Returns a `cargo build` command for the target, to which the caller adds the package.
    pub fn build_command(self, std: Std) -> Command {
        match self {
            Self::Rustup => {
                let mut command = cargo(&["build", "--target", TARGET]);
                if std == Std::Small && has_source() {
                    build_std(&mut command, std);
                }
                command
            }
            Self::Debian => {
                let mut command = Command::new("/usr/bin/cargo");
                cargo::remove_xtask_variables(&mut command);
                command
                    .args(["build", "--target", TARGET])
                    .env("RUSTC", "/usr/bin/rustc")
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "wasm-ld");
                build_std(&mut command, std);
                command
            }
        }
    }
}

fn build_std(command: &mut Command, std: Std) {
    command
        .args(["-Z", "build-std=std,panic_abort"])
        // Allows a stable compiler to build `std`, which is not stable yet.
        .env("RUSTC_BOOTSTRAP", "1");
    if std == Std::Small {
        command.args(["-Z", "build-std-features=optimize_for_size"]);
    }
}

fn has_target() -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]);
    rustc.output().is_ok_and(|output| {
        let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success() && Path::new(&folder).is_dir()
    })
}

/// Returns whether the current toolchain can build the standard library.
fn has_source() -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "sysroot"]);
    rustc.output().is_ok_and(|output| {
        let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let source = "lib/rustlib/src/rust/library/Cargo.lock";
        Path::new(&sysroot).join(source).is_file()
    })
}

/// Tries to install the source of the standard library. Without it, modules use the distributed library and are larger.
fn add_source(runner: &Runner) -> Result<(), Failure> {
    if on_path("rustup").is_none() {
        return Ok(());
    }
    eprintln!("      installing the source of the standard library with rustup");
    let mut rustup = Command::new("rustup");
    rustup.args(["component", "add", "rust-src"]);
    match runner.attempt(RUSTUP_LIMIT, "rustup component add", rustup) {
        Ok(_) | Err(Failure::TimedOut { .. }) => Ok(()),
        Err(failure) => Err(failure),
    }
}

fn add_target(runner: &Runner) -> Result<(), Failure> {
    let missing = || Failure::Missing {
        what: "the target wasm32-unknown-unknown",
        remedy: format!("run `rustup target add {TARGET}`"),
    };
    if on_path("rustup").is_none() {
        return Err(missing());
    }
    eprintln!("      installing {TARGET} with rustup");
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]);
    match runner.attempt(RUSTUP_LIMIT, "rustup target add", rustup) {
        Ok(_) | Err(Failure::TimedOut { .. }) if has_target() => Ok(()),
        Ok(_) | Err(Failure::TimedOut { .. }) => Err(missing()),
        Err(failure) => Err(failure),
    }
}
