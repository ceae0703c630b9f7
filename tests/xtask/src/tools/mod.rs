//! The programs that the checks need, with the installation of missing ones.

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

/// How long a download may take. A longer one has probably stalled.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(600);

/// Returns the path of `program`, from `PATH`, or from `path` in Debian's `package`, which is unpacked in the cache.
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

/// Returns the path of `program` on `PATH`.
fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}
