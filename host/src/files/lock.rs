//! Locks on folders: one process at a time.
//!
//! The lock is on a file that its owner alone may open. Everybody who may read a folder may lock the folder itself, and
//! so could delay each start of the server.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;

use crate::files::ownership::Ownership;
use crate::files::{self, PRIVATE};

/// The name of the file that is locked.
const NAME: &str = ".ack-ram-authenticator.lock";

/// What is done under a lock takes milliseconds.
const DEADLINE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// A lock on a folder. Dropping it removes the file and lets the next process in.
#[derive(Debug)]
pub(crate) struct FolderLock {
    file: File,
    path: PathBuf,
}

/// Locks `folder`. Blocks while another process of the same owner is at work there, but not for one that is stuck.
///
/// # Errors
/// When the lock file cannot be made, or is locked for ten seconds.
pub(crate) fn lock(folder: &Path) -> io::Result<FolderLock> {
    let path = folder.join(NAME);
    let folder_owner = fs::metadata(folder)?.uid();
    let started = Instant::now();
    loop {
        if let Some(file) = try_lock(&path, folder_owner)? {
            return Ok(FolderLock { file, path });
        }
        if started.elapsed() >= DEADLINE {
            let text = format!("another process has locked `{}` for 10 s", path.display());
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        thread::sleep(PAUSE);
    }
}

/// Whether [`lock`] could lock `folder`, once it was made. Nothing is written.
///
/// # Errors
/// Why not.
pub(crate) fn check_lockable(folder: &Path) -> io::Result<()> {
    let path = folder.join(NAME);
    files::check_writable(&path)?;
    match fs::symlink_metadata(&path) {
        Ok(found) if found.is_dir() || found.is_symlink() => {
            let text = format!("`{}` is no file; remove it", path.display());
            Err(io::Error::other(text))
        }
        _ => Ok(()),
    }
}

/// Returns the locked file; nothing when another try is due.
fn try_lock(path: &Path, folder_owner: u32) -> io::Result<Option<File>> {
    // A link could lead to a file of others; a pipe must not make this wait.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(PRIVATE)
        .custom_flags(flags.bits())
        .open(path)?;
    let metadata = file.metadata()?;
    let ownership = Ownership::of(&metadata);
    if !metadata.is_file() || !ownership.is_private() || !ownership.is_trusted(folder_owner) {
        // Others may hold this file open, and lock it. No process of this program makes such a file.
        remove(path)?;
        return Ok(None);
    }
    match file.try_lock() {
        // The process that held the lock before has removed its file.
        Ok(()) => Ok(is_at(&file, path).then_some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let found = fs::symlink_metadata(path).map(identity);
    found.is_ok_and(|found| file.metadata().is_ok_and(|open| identity(open) == found))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        if is_at(&self.file, &self.path) {
            // Left behind, it is locked by the next process that comes.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn lock_path(folder: &Path) -> PathBuf {
        folder.join(NAME)
    }

    #[test]
    fn lock_file_is_private_and_goes_with_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path()).unwrap();
        let metadata = fs::metadata(lock_path(folder.path())).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, PRIVATE);
        assert!(
            try_lock(&lock_path(folder.path()), metadata.uid())
                .unwrap()
                .is_none()
        );
        drop(held);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    /// Everybody may lock a folder or a file that they may read.
    #[test]
    fn lock_of_another_on_the_folder_or_a_loose_file_is_no_hindrance() {
        let folder = tempfile::tempdir().unwrap();
        let on_folder = File::open(folder.path()).unwrap();
        on_folder.lock().unwrap();
        drop(lock(folder.path()).unwrap());
        for mode in [0o666, 0o640, 0o604] {
            let path = lock_path(folder.path());
            let loose = File::create(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            loose.lock().unwrap();
            drop(lock(folder.path()).unwrap());
        }
    }

    #[test]
    fn lock_file_is_never_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere");
        symlink(&elsewhere, lock_path(folder.path())).unwrap();
        assert!(lock(folder.path()).is_err());
        assert!(!elsewhere.exists());
    }

    #[test]
    fn one_holder_at_a_time_while_files_come_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let inside = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        let held = lock(folder.path()).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(held);
                    }
                });
            }
        });
    }
}
