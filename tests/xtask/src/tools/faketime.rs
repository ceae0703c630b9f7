//! libfaketime from Debian, which changes the time of a program.

use std::env;
use std::path::PathBuf;

use super::{apt, cache};
use crate::failure::Failure;
use crate::run::Runner;

/// Returns the path of the library for programs with threads.
pub fn find(runner: &Runner) -> Result<PathBuf, Failure> {
    let unpacked = cache::entry("libfaketime-debian", |folder| {
        eprintln!("      fetching libfaketime");
        apt::unpack(runner, "libfaketime", "libfaketime", folder)
    })?;
    let triplet = format!("{}-linux-gnu", env::consts::ARCH);
    let library = PathBuf::from_iter(["usr/lib", &triplet, "faketime/libfaketimeMT.so.1"]);
    Ok(unpacked.join(library))
}
