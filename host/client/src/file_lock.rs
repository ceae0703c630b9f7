//! Locks of files, with a time limit.

use std::fs::{File, TryLockError};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use crate::platform;

/// The name of the thread that waits for a lock.
const WAITING: &str = "file-lock";

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
    let time = deadline.saturating_duration_since(Instant::now());
    if time.is_zero() {
        return Locked::Busy;
    }
    let (sender, receiver) = mpsc::channel();
    let waiting = thread::Builder::new().name(WAITING.to_owned());
    let waiting = waiting.spawn(move || {
        // This thread may outlast the wait. A signal that ended the process by this thread would not wait for the
        // writing of a session.
        platform::hold_back_signals();
        let locked = match file.lock() {
            Ok(()) => Locked::Held(file),
            Err(_) => Locked::Busy,
        };
        // Nobody receives it after the deadline.
        let _ = sender.send(locked);
    });
    // Another process has the lock, so the file system has locks.
    if waiting.is_err() {
        return Locked::Busy;
    }
    receiver.recv_timeout(time).unwrap_or(Locked::Busy)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Returns the signals that each thread of this process with a name holds back.
    #[cfg(target_os = "linux")]
    fn blocked_signals(name: &str) -> Vec<u64> {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let states = tasks.filter_map(|task| {
            let state = std::fs::read_to_string(task.ok()?.path().join("status")).ok()?;
            let field = |field| state.lines().find_map(|line| line.strip_prefix(field));
            let mask = u64::from_str_radix(field("SigBlk:")?.trim(), 16).ok()?;
            (field("Name:")?.trim() == name).then_some(mask)
        });
        states.collect()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn thread_that_waits_holds_back_the_signals_that_end_a_command() {
        use nix::sys::signal::Signal;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let open = || File::create(&path).unwrap();
        let Locked::Held(first) = try_lock(open()) else {
            panic!("no lock");
        };
        let (file, far) = (open(), Instant::now() + Duration::from_secs(3600));
        let caller = thread::spawn(move || lock_until(file, far));
        let expected = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]
            .iter()
            .fold(0, |mask, signal| mask | 1 << (*signal as u64 - 1));
        // The thread may not have run yet.
        while !blocked_signals(WAITING).contains(&expected) {
            thread::yield_now();
        }
        drop(first);
        assert!(matches!(caller.join().unwrap(), Locked::Held(_)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn lock_after_the_deadline_starts_no_thread() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let open = || File::create(&path).unwrap();
        let _first = try_lock(open());
        let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
        let before = threads();
        let number = 1000;
        for _ in 0..number {
            assert!(matches!(lock_until(open(), Instant::now()), Locked::Busy));
        }
        // Other tests have threads, too.
        assert!(threads() < before + number / 2);
    }

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
