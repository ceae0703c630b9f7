//! Binaryen's `wasm-opt`: the one on `PATH`, or Debian's.

use std::path::PathBuf;
use std::process::Command;

use super::{apt, cache, on_path};
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
    let mut command = Command::new(find(runner)?);
    command.args(FEATURES);
    Ok(command)
}

fn find(runner: &Runner) -> Result<PathBuf, Failure> {
    if let Some(found) = on_path("wasm-opt") {
        return Ok(found);
    }
    let unpacked = cache::entry("binaryen-debian", |folder| {
        eprintln!("      fetching wasm-opt");
        apt::unpack(runner, "wasm-opt", "binaryen", folder)
    })?;
    Ok(unpacked.join("usr/bin/wasm-opt"))
}
