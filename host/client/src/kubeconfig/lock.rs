//! The lock that `kubectl config` takes: a file with `.lock` behind the name of the kubeconfig, created exclusively and
//! removed afterwards.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::error::KubeconfigError;
use crate::platform::DelayedSignals;

/// The pause between two tries. kubectl holds the lock for a few milliseconds, and nothing announces its removal.
const PAUSE: Duration = Duration::from_millis(10);

/// The locks of some files. Dropping them removes the lock files. A signal that ends the program waits until then.
#[derive(Debug)]
pub(super) struct FileLocks(Vec<(PathBuf, DelayedSignals)>);

impl FileLocks {
    /// Locks files, and waits for other programs up to `limit`. All programs lock the files in the same order, that of
    /// their names.
    pub(super) fn acquire<'a>(
        paths: impl Iterator<Item = &'a Path>,
        limit: Duration,
    ) -> Result<Self, KubeconfigError> {
        let deadline = Instant::now() + limit;
        let mut paths: Vec<PathBuf> = paths.map(lock_path).collect();
        paths.sort();
        paths.dedup();
        let mut locks = Self(Vec::new());
        for path in paths {
            let signals = create_lock(&path, deadline)?;
            locks.0.push((path, signals));
        }
        Ok(locks)
    }
}

impl Drop for FileLocks {
    fn drop(&mut self) {
        // In the reverse order, because the first lock has the signals of the time before all locks.
        while let Some((path, _signals)) = self.0.pop() {
            // Another process may have removed it, as the message about a stale lock says.
            let _ = fs::remove_file(path);
        }
    }
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".lock");
    name.into()
}

fn create_lock(path: &Path, deadline: Instant) -> Result<DelayedSignals, KubeconfigError> {
    loop {
        let signals = DelayedSignals::start();
        match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(_) => return Ok(signals),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if Instant::now() >= deadline {
                    return Err(KubeconfigError::Locked(path.to_owned()));
                }
                drop(signals);
                thread::sleep(PAUSE);
            }
            Err(error) => {
                return Err(KubeconfigError::Lock {
                    path: path.to_owned(),
                    error,
                });
            }
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use nix::sys::signal::{SigSet, Signal};

    use super::*;

    #[test]
    fn signals_are_held_back_until_the_last_lock_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let is_held = || {
            let mask = SigSet::thread_get_mask().unwrap();
            mask.contains(Signal::SIGINT)
        };
        for number in 1..=3 {
            let paths: Vec<PathBuf> = (0..number)
                .map(|index| folder.path().join(format!("{index}")))
                .collect();
            let paths = paths.iter().map(PathBuf::as_path);
            let locks = FileLocks::acquire(paths, Duration::ZERO).unwrap();
            assert!(is_held());
            drop(locks);
            assert!(!is_held(), "{number}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}
