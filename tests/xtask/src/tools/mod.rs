//! Programs that the checks need, and how to get the ones that are missing.

pub mod binaryen;
pub mod browser;
pub mod caddy;
pub mod cargo_program;
pub mod envoy;
pub mod etcd;
pub mod faketime;
pub mod ip;
pub mod kubernetes;
pub mod nginx;
pub mod prometheus;
pub mod typos;
pub mod wasm_target;
pub mod wrk;

mod apt;
mod cache;
mod pypi;

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use crate::failure::Failure;
use crate::run::Runner;

/// A download that takes longer is not going to end.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(600);

/// Where `program` is: the one on `PATH`, or else the one at `path` of Debian's `package`, which is unpacked in the cache.
fn on_path_or_debian(
    runner: &Runner,
    program: &'static str,
    package: &str,
    path: &str,
) -> Result<PathBuf, Failure> {
    if let Some(found) = on_path(program) {
        return Ok(found);
    }
    let unpacked = cache::entry(&format!("{package}-debian"), |folder| {
        eprintln!("      fetching {program}");
        apt::unpack(runner, program, package, folder)
    })?;
    Ok(unpacked.join(path))
}

/// Where `PATH` has `program`.
fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}
