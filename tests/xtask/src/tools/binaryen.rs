//! Binaryen's `wasm-opt`: the one on `PATH`, or Debian's.

use std::process::Command;

use super::on_path_or_debian;
use crate::failure::Failure;
use crate::run::Runner;

/// What compilers take for granted, and Debian's version does not.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// `wasm-opt`, to be told what to do.
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
