//! The cache of downloaded and built programs, with a subfolder for each version.

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Returns the subfolder `key`. If it does not exist yet, calls `make` to fill it.
///
/// The subfolder is created atomically, and a lock prevents two runs from filling it at the same time.
pub fn entry(
    key: &str,
    make: impl FnOnce(&Path) -> Result<(), Failure>,
) -> Result<PathBuf, Failure> {
    let cache = folder()?;
    let entry = cache.join(key);
    if entry.is_dir() {
        return Ok(entry);
    }
    let at = |path: &Path| Failure::io(path.display().to_string());
    fs::create_dir_all(&cache).map_err(at(&cache))?;
    let lock_path = cache.join("lock");
    let lock = File::create(&lock_path).map_err(at(&lock_path))?;
    if let Err(TryLockError::WouldBlock) = lock.try_lock() {
        eprintln!(
            "      waiting for another run that is filling `{}`",
            cache.display()
        );
        lock.lock().map_err(at(&lock_path))?;
    }
    if entry.is_dir() {
        return Ok(entry);
    }
    // The leftovers of an interrupted run are also in this folder.
    let partial = cache.join("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(at(&partial))?;
    }
    fs::create_dir(&partial).map_err(at(&partial))?;
    let content = partial.join("content");
    fs::create_dir(&content).map_err(at(&content))?;
    make(&content)?;
    fs::rename(&content, &entry).map_err(at(&entry))?;
    fs::remove_dir_all(&partial).map_err(at(&partial))?;
    Ok(entry)
}

fn folder() -> Result<PathBuf, Failure> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
    let users = || {
        let cache = variable("XDG_CACHE_HOME").map(PathBuf::from);
        cache.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cache")))
    };
    variable("ACK_RAM_CACHE")
        .map(PathBuf::from)
        .or_else(|| Some(users()?.join("ack-ram-authenticator")))
        .ok_or_else(|| Failure::Missing {
            what: "a cache folder",
            remedy: "set ACK_RAM_CACHE or HOME".to_owned(),
        })
}
