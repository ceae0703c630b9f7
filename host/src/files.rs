//! Files that are there whole or not at all.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::{AccessFlags, access};
use tempfile::NamedTempFile;

/// Permission bits for what only the owner may read.
pub(crate) const PRIVATE: u32 = 0o600;

/// Permission bits for what everybody may read.
pub(crate) const PUBLIC: u32 = 0o644;

/// What is done under the lock of a folder takes milliseconds.
const LOCK_DEADLINE: Duration = Duration::from_secs(10);

/// Puts `contents` at `path`, in place of what was there.
///
/// # Errors
/// When a file cannot be made beside `path` or cannot be moved there; what was there is untouched then.
pub(crate) fn replace(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let file = written(path, contents, mode)?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(path)
}

/// Puts `contents` at `path`, where nothing may be yet.
///
/// # Errors
/// As [`replace`], and [`io::ErrorKind::AlreadyExists`].
pub(crate) fn create(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let file = written(path, contents, mode)?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    sync_folder(path)
}

/// Moves `from`, in the same folder, to `path`, in place of what was there.
///
/// # Errors
/// When that cannot be done.
pub(crate) fn rename(from: &Path, path: &Path) -> io::Result<()> {
    fs::rename(from, path)?;
    sync_folder(path)
}

/// Whether [`replace`] could put something at `path`, once the folders on the way were made. Nothing is written.
///
/// # Errors
/// Why not.
pub(crate) fn check_writable(path: &Path) -> io::Result<()> {
    let mut folder = folder(path);
    loop {
        match fs::metadata(folder) {
            Ok(found) if found.is_dir() => break,
            Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        folder = match folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
    }
    Ok(access(folder, AccessFlags::W_OK | AccessFlags::X_OK)?)
}

fn written(path: &Path, contents: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix(".ack-ram-authenticator-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder(path))?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Makes the new name survive a power failure.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The text at `path`, or `None` where there is nothing.
///
/// # Errors
/// When there is something that cannot be read.
pub(crate) fn read_if_present(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The text of the file at `path`.
///
/// # Errors
/// When it cannot be read, is no ordinary file, or is longer than `limit` bytes.
pub(crate) fn read_up_to(path: &Path, limit: u64) -> io::Result<String> {
    // Opening a pipe would wait for a writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no ordinary file"));
    }
    let mut text = String::new();
    File::open(path)?
        .take(limit.saturating_add(1))
        .read_to_string(&mut text)?;
    if text.len() as u64 > limit {
        let why = format!("it is longer than {limit} bytes");
        return Err(io::Error::other(why));
    }
    Ok(text)
}

/// Locks `folder` until it is dropped. Blocks while another process is at work there, but not for one that is stuck:
/// whoever may read a folder may lock it.
///
/// # Errors
/// When it cannot be locked within ten seconds.
pub(crate) fn lock(folder: &File) -> io::Result<()> {
    let started = Instant::now();
    loop {
        match folder.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if started.elapsed() >= LOCK_DEADLINE => {
                let text = "another process has locked the folder for 10 s";
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(50)),
        }
    }
}
