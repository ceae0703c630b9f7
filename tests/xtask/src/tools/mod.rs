//! Programs that the checks need, and how to get the ones that are missing.

pub mod binaryen;
pub mod browser;
pub mod cargo_program;
pub mod envoy;
pub mod etcd;
pub mod faketime;
pub mod ip;
pub mod kubernetes;
pub mod nginx;
pub mod prometheus;
pub mod wasm_target;
pub mod wrk;

mod apt;
mod cache;

use std::env;
use std::path::PathBuf;
use std::time::Duration;

/// A download that takes longer is not going to end.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(600);

/// Where `PATH` has `program`.
fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|candidate| candidate.is_file())
}
