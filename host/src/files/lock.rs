//! Locks on folders, which admit one process at a time.
//!
//! The lock is on a file that only its owner may open. Every user who can read a folder can lock the folder itself, and
//! could so delay each start of the server.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;

use crate::files::ownership::{Ownership, process_uid};
use crate::files::{self, PRIVATE};

/// The name of the lock file.
const NAME: &str = ".ack-ram-authenticator.lock";

/// How long to wait for a lock. A process holds the lock for milliseconds.
const DEADLINE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// A lock on a folder. Dropping it removes the lock file and releases the lock.
#[derive(Debug)]
pub(crate) struct FolderLock {
    file: File,
    path: PathBuf,
}

/// Locks `folder`. Blocks while another process holds the lock, for at most ten seconds.
///
/// # Errors
/// When the lock file cannot be created, or when it is still locked or cannot be opened after ten seconds.
pub(crate) fn lock_folder(folder: &Path) -> io::Result<FolderLock> {
    lock_within(folder, DEADLINE)
}

fn lock_within(folder: &Path, deadline: Duration) -> io::Result<FolderLock> {
    let path = folder.join(NAME);
    let folder_owner = fs::metadata(folder)?.uid();
    let started = Instant::now();
    loop {
        let why = match try_lock(&path, folder_owner) {
            Ok(Some(file)) => return Ok(FolderLock { file, path }),
            Ok(None) => {
                let text = format!(
                    "another process has locked `{}` for {} s",
                    path.display(),
                    deadline.as_secs()
                );
                io::Error::new(io::ErrorKind::TimedOut, text)
            }
            // The lock file belongs to a process of another user, which may be running or have been killed.
            Err(error) if belongs_to_another(&error, &path) => open_error(&path, &error),
            Err(error) => return Err(error),
        };
        if started.elapsed() >= deadline {
            return Err(why);
        }
        thread::sleep(PAUSE);
    }
}

fn belongs_to_another(error: &io::Error, path: &Path) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && fs::symlink_metadata(path).is_ok()
}

fn open_error(path: &Path, error: &io::Error) -> io::Error {
    let text = format!(
        "cannot open the lock `{}`: {error}; remove it if no other process uses the folder",
        path.display()
    );
    io::Error::new(error.kind(), text)
}

/// Checks that [`lock_folder`] could lock `folder`, once it exists. Writes nothing.
///
/// # Errors
/// When the folder cannot be locked. The error says why.
pub(crate) fn check_lockable(folder: &Path) -> io::Result<()> {
    let path = folder.join(NAME);
    files::check_parent_writable(&path)?;
    match fs::symlink_metadata(&path) {
        Ok(found) if found.is_dir() || found.is_symlink() => {
            let text = format!("`{}` is not a file; remove it", path.display());
            Err(io::Error::other(text))
        }
        Ok(_) => match options().open(&path) {
            Err(error) if belongs_to_another(&error, &path) => Err(open_error(&path, &error)),
            // A lock file that can be opened is not an obstacle, since its holder removes it.
            Ok(_) | Err(_) => Ok(()),
        },
        Err(_) => Ok(()),
    }
}

fn options() -> OpenOptions {
    // A link could lead to a file of another user, and opening a pipe could block.
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .mode(PRIVATE)
        .custom_flags(flags.bits());
    options
}

/// Opens the lock file, and creates it if necessary; `None` if another process has just removed it.
fn open(path: &Path, folder_owner: u32) -> io::Result<Option<File>> {
    match options().create_new(true).open(path) {
        Ok(file) => {
            // The owner of the folder must be able to open a lock file that root leaves behind. Only a new file changes
            // its owner, since an existing file could be a hard link to a file of root.
            if process_uid() == 0 && folder_owner != 0 {
                fchown(&file, Some(folder_owner), None)?;
            }
            Ok(Some(file))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match options().open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            result => result.map(Some),
        },
        Err(error) => Err(error),
    }
}

/// Returns the locked file; `None` if the caller has to try again.
fn try_lock(path: &Path, folder_owner: u32) -> io::Result<Option<File>> {
    let Some(file) = open(path, folder_owner)? else {
        return Ok(None);
    };
    let metadata = file.metadata()?;
    let ownership = Ownership::from_metadata(&metadata);
    if !metadata.is_file() || !ownership.is_private() || !ownership.is_trusted(folder_owner) {
        // Other users may have this file open and lock it. No process of this program creates such a file.
        remove(path)?;
        return Ok(None);
    }
    match file.try_lock() {
        // The previous holder may have removed the file in the meantime.
        Ok(()) => Ok(is_file_at(&file, path).then_some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn is_file_at(file: &File, path: &Path) -> bool {
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
        if is_file_at(&self.file, &self.path) {
            // If this fails, the next process locks the remaining file.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
    use std::sync::atomic::{AtomicU32, Ordering};

    use nix::unistd::{Uid, setfsuid};

    use super::*;

    fn lock_path(folder: &Path) -> PathBuf {
        folder.join(NAME)
    }

    #[test]
    fn lock_file_is_private_and_removed_with_lock() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock_folder(folder.path()).unwrap();
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

    /// Every user can lock a folder or a file that they can read.
    #[test]
    fn foreign_lock_on_folder_or_public_file_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let on_folder = File::open(folder.path()).unwrap();
        on_folder.lock().unwrap();
        drop(lock_folder(folder.path()).unwrap());
        for mode in [0o666, 0o640, 0o604] {
            let path = lock_path(folder.path());
            let loose = File::create(&path).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            loose.lock().unwrap();
            drop(lock_folder(folder.path()).unwrap());
        }
    }

    #[test]
    fn lock_file_is_never_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere");
        symlink(&elsewhere, lock_path(folder.path())).unwrap();
        assert!(lock_folder(folder.path()).is_err());
        assert!(!elsewhere.exists());
    }

    /// A root process that was killed leaves its lock behind.
    #[test]
    fn lock_of_root_is_usable_by_folder_owner_or_named() {
        if process_uid() != 0 {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        chown(folder.path(), Some(65534), None).unwrap();
        let path = lock_path(folder.path());
        std::mem::forget(lock_folder(folder.path()).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().uid(), 65534);
        fs::remove_file(&path).unwrap();

        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(PRIVATE)).unwrap();
        // The change of user affects only this thread.
        let folder = folder.path();
        let opened = thread::scope(|scope| {
            let as_owner = || {
                setfsuid(Uid::from_raw(65534));
                [
                    options().open(lock_path(folder)).map(drop),
                    lock_within(folder, Duration::ZERO).map(drop),
                ]
            };
            scope.spawn(as_owner).join().unwrap()
        });
        let [open, locked] = opened.map(|result| result.unwrap_err().to_string());
        assert!(open.contains("denied"), "{open}");
        let expected = format!(
            "cannot open the lock `{}`: Permission denied",
            path.display()
        );
        assert!(locked.starts_with(&expected), "{locked}");
        assert!(
            locked.contains("; remove it if no other process"),
            "{locked}"
        );
    }

    /// The lock file may be a hard link to a file of another user.
    #[test]
    fn existing_lock_file_keeps_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(PRIVATE)).unwrap();
        let owner = fs::metadata(&file).unwrap().uid();
        if owner == 0 {
            chown(folder.path(), Some(65534), None).unwrap();
        }
        fs::hard_link(&file, lock_path(folder.path())).unwrap();
        drop(lock_folder(folder.path()).unwrap());
        assert_eq!(fs::metadata(&file).unwrap().uid(), owner);
    }

    #[test]
    fn lock_has_one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let inside = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        let held = lock_folder(folder.path()).unwrap();
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
