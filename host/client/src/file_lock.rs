//! Locks of files, with a time limit.

use std::fs::{File, TryLockError};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

/// The result of locking a file.
#[derive(Debug)]
pub(crate) enum Locked {
    /// The lock is held while the file is open.
    Held(File),
    /// Another process holds the lock.
    Busy,
    /// The file system has no locks.
    Unavailable,
}

/// Locks a file, if no other process has locked it.
pub(crate) fn try_lock(file: File) -> Locked {
    match file.try_lock() {
        Ok(()) => Locked::Held(file),
        Err(TryLockError::WouldBlock) => Locked::Busy,
        Err(TryLockError::Error(_)) => Locked::Unavailable,
    }
}

/// Locks a file, and waits for other processes until `deadline`. The system has no time limit for a lock, so a thread
/// waits; it ends with the process at the latest.
pub(crate) fn lock_until(file: File, deadline: Instant) -> Locked {
    match file.try_lock() {
        Ok(()) => return Locked::Held(file),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(_)) => return Locked::Unavailable,
    }
    let (sender, receiver) = mpsc::channel();
    let waiting = thread::Builder::new().spawn(move || {
        let locked = match file.lock() {
            Ok(()) => Locked::Held(file),
            Err(_) => Locked::Unavailable,
        };
        // Nobody receives it after the deadline.
        let _ = sender.send(locked);
    });
    if waiting.is_err() {
        return Locked::Unavailable;
    }
    let time = deadline.saturating_duration_since(Instant::now());
    receiver.recv_timeout(time).unwrap_or(Locked::Busy)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn lock_is_waited_for_until_the_deadline() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let open = || {
            let mut options = File::options();
            options.write(true).create(true).truncate(false);
            options.open(&path).unwrap()
        };
        let Locked::Held(first) = try_lock(open()) else {
            panic!("no lock");
        };
        assert!(matches!(try_lock(open()), Locked::Busy));
        assert!(matches!(lock_until(open(), Instant::now()), Locked::Busy));

        let (file, far) = (open(), Instant::now() + Duration::from_secs(3600));
        let waiting = thread::spawn(move || lock_until(file, far));
        drop(first);
        assert!(matches!(waiting.join().unwrap(), Locked::Held(_)));
    }
}
