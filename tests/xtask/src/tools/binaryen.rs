//! `wasm-opt` of Binaryen, from `PATH` or from Debian.

use std::process::Command;

use super::on_path_or_debian;
use crate::failure::Failure;
use crate::run::Runner;

/// Features that compilers use by default, and that the version in Debian does not enable by default.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Builds a command of `wasm-opt`, to which the caller adds arguments.
pub fn wasm_opt(runner: &Runner) -> Result<Command, Failure> {
    let mut command = Command::new(on_path_or_debian(
        runner,
        "wasm-opt",
        "binaryen",
        "usr/bin/wasm-opt",
    )?);
    command.args(FEATURES);
    Ok(command)
}
