//! The lock of an entry. It ends with its holder, and its file also holds the time of the last failed renewal.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::Instant;

use ack_ram_core::time::UnixTime;

use crate::file_lock::{self, Locked};
use crate::platform;

/// How often a lock is taken again, because another process has removed its file in the meantime.
const MAX_TRIES: usize = 20;

/// The result of taking a lock.
#[derive(Debug)]
pub enum LockAttempt {
    /// The lock is held until the guard is dropped.
    Held(LockGuard),
    /// Another process holds the lock.
    Busy,
    /// There are no locks here.
    Unavailable,
}

/// A lock. It also ends with the process.
#[derive(Debug)]
pub struct LockGuard(File);

impl LockGuard {
    /// Returns when a holder of the lock could not renew the key; `None` if the last renewal succeeded.
    pub(super) fn failed_renewal(&mut self) -> Option<UnixTime> {
        let mut text = String::new();
        self.0.rewind().ok()?;
        (&self.0).take(64).read_to_string(&mut text).ok()?;
        UnixTime::parse(&text)
    }

    /// Stores when the holder could not renew the key.
    pub(super) fn store_failed_renewal(&mut self, time: Option<UnixTime>) -> std::io::Result<()> {
        self.0.set_len(0)?;
        self.0.rewind()?;
        match time {
            Some(time) => self.0.write_all(time.to_string().as_bytes()),
            None => Ok(()),
        }
    }
}

/// Takes the lock with the file `path`, if no other process has it.
pub(super) fn try_lock(path: &Path) -> LockAttempt {
    take(path, file_lock::try_lock)
}

/// Waits for the lock with the file `path`, at most until `deadline`.
pub(super) fn lock_until(path: &Path, deadline: Instant) -> LockAttempt {
    take(path, |file| file_lock::lock_until(file, deadline))
}

/// Removes the file of a lock, unless a process holds the lock. A process that waits for the lock takes it again.
pub(super) fn remove(path: &Path) {
    if let LockAttempt::Held(_guard) = try_lock(path) {
        // The next process creates the file again.
        let _ = fs::remove_file(path);
    }
}

fn take(path: &Path, lock: impl Fn(File) -> Locked) -> LockAttempt {
    for _ in 0..MAX_TRIES {
        let Ok(file) = platform::open_lock(path) else {
            return LockAttempt::Unavailable;
        };
        match lock(file) {
            Locked::Held(file) => match is_current(&file, path) {
                Ok(true) => return LockAttempt::Held(LockGuard(file)),
                // Another process has removed the file, and so two processes could hold the lock.
                Ok(false) => {}
                Err(_) => return LockAttempt::Unavailable,
            },
            Locked::Busy => return LockAttempt::Busy,
            Locked::Unavailable => return LockAttempt::Unavailable,
        }
    }
    LockAttempt::Unavailable
}

/// Returns whether `path` still names the file that is locked.
fn is_current(file: &File, path: &Path) -> std::io::Result<bool> {
    let locked = file.metadata()?;
    if !locked.is_file() {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    match fs::symlink_metadata(path) {
        Ok(named) => Ok(platform::is_same_file(&locked, &named)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::cell::Cell;
    use std::os::unix::fs::PermissionsExt as _;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    fn is_held(attempt: &LockAttempt) -> bool {
        matches!(attempt, LockAttempt::Held(_))
    }

    #[test]
    fn lock_is_held_by_one_and_ends_with_its_guard() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let first = try_lock(&path);
        assert!(is_held(&first));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        assert!(matches!(try_lock(&path), LockAttempt::Busy));
        assert!(matches!(
            lock_until(&path, Instant::now()),
            LockAttempt::Busy
        ));
        drop(first);
        assert!(is_held(&lock_until(&path, Instant::now())));
    }

    #[test]
    fn lock_of_a_removed_file_is_taken_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let tries = Cell::new(0);
        let attempt = take(&path, |file| {
            // Another process removes the file between opening and locking, and a third one creates it again.
            match tries.replace(tries.get() + 1) {
                0 => fs::remove_file(&path).unwrap(),
                1 => {
                    fs::rename(&path, folder.path().join("removed")).unwrap();
                    fs::write(&path, "").unwrap();
                }
                _ => {}
            }
            file_lock::try_lock(file)
        });
        assert!(is_held(&attempt));
        assert_eq!(tries.get(), 3);
        assert!(matches!(try_lock(&path), LockAttempt::Busy));
    }

    #[test]
    fn held_lock_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let guard = try_lock(&path);
        remove(&path);
        assert!(path.exists());
        drop(guard);
        remove(&path);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_lock_file_is_neither_used_nor_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("target"), "").unwrap();
        std::os::unix::fs::symlink(path("target"), path("link.lock")).unwrap();
        mkfifo(&path("pipe.lock"), Mode::S_IRWXU).unwrap();
        fs::create_dir(path("folder.lock")).unwrap();
        std::os::unix::fs::symlink(path("nothing"), path("dangling.lock")).unwrap();
        for name in [
            "link.lock",
            "dangling.lock",
            "pipe.lock",
            "folder.lock",
            "missing/a.lock",
        ] {
            let attempt = try_lock(&path(name));
            assert!(
                matches!(attempt, LockAttempt::Unavailable),
                "{name} {attempt:?}"
            );
        }
        assert!(!path("nothing").exists());
    }

    #[test]
    fn failed_renewal_is_noted_in_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.lock");
        let time = UnixTime::from_seconds(1_780_000_000);
        for (stored, content) in [
            (None, None),
            (Some(time), Some(time)),
            (Some(time.plus_seconds(1)), Some(time.plus_seconds(1))),
            (None, None),
        ] {
            let LockAttempt::Held(mut guard) = try_lock(&path) else {
                panic!("no lock");
            };
            guard.store_failed_renewal(stored).unwrap();
            drop(guard);
            let LockAttempt::Held(mut guard) = try_lock(&path) else {
                panic!("no lock");
            };
            assert_eq!(guard.failed_renewal(), content);
        }
        fs::write(&path, "half of a t").unwrap();
        let LockAttempt::Held(mut guard) = try_lock(&path) else {
            panic!("no lock");
        };
        assert_eq!(guard.failed_renewal(), None);
    }
}
