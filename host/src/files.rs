//! Atomic writes, checked reads, and checks of whether a path can be written.

mod lock;
pub(crate) mod ownership;

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::unistd::{AccessFlags, access};
use tempfile::NamedTempFile;

pub(crate) use lock::{check_lockable, lock_folder};

/// Permission bits for a file that only its owner may read.
pub(crate) const PRIVATE: u32 = 0o600;

/// Permission bits for a file that every user may read.
pub(crate) const PUBLIC: u32 = 0o644;

/// Permission bits for a folder that every user may read.
pub(crate) const PUBLIC_FOLDER: u32 = 0o755;

/// Permission bits for a folder that only its owner may use.
pub(crate) const PRIVATE_FOLDER: u32 = 0o700;

/// Atomically replaces or creates the file at `path`, with `contents`.
///
/// # Errors
/// When the new file cannot be created beside `path` or moved there, or when `path` is something other than a file,
/// such as `/dev/null`. Nothing changes at `path` then.
pub(crate) fn replace(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    check_replaceable(path)?;
    let file = write_temporary(path, contents, mode)?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(path)
}

/// Atomically creates the file at `path`, with `contents`.
///
/// # Errors
/// As [`replace`], and [`io::ErrorKind::AlreadyExists`] if `path` exists.
pub(crate) fn create(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let file = write_temporary(path, contents, mode)?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    sync_folder(path)
}

/// Moves the file `from` to `path` in the same folder, and replaces the file at `path`.
///
/// # Errors
/// When the move fails, or when `path` is something other than a file.
pub(crate) fn rename(from: &Path, path: &Path) -> io::Result<()> {
    check_replaceable(path)?;
    fs::rename(from, path)?;
    sync_folder(path)
}

/// Checks that [`replace`] could write `path`, once its parent folders exist. Writes nothing.
///
/// # Errors
/// When `path` cannot be written. The error says why.
pub(crate) fn check_writable(path: &Path) -> io::Result<()> {
    check_replaceable(path)?;
    check_parent_writable(path)
}

/// Checks that `path` is a regular file, a link to one, or does not exist.
fn check_replaceable(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            let text = "it is not a regular file, so it is not replaced";
            Err(io::Error::other(text))
        }
        // If the metadata cannot be read, the write itself reports the error.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Checks that a file could be created at `path`, once its parent folders exist. Writes nothing.
fn check_parent_writable(path: &Path) -> io::Result<()> {
    let mut folder = parent_folder(path);
    loop {
        match fs::metadata(folder) {
            Ok(found) if found.is_dir() => break,
            Ok(_) => return Err(ErrorKind::NotADirectory.into()),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        folder = match folder.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
    }
    Ok(access(folder, AccessFlags::W_OK | AccessFlags::X_OK)?)
}

/// Checks that lines could be appended to the file at `path`, or that it could be created. Writes nothing.
///
/// # Errors
/// When the file cannot be written. The error says why.
pub(crate) fn check_appendable(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(_) => Ok(access(path, AccessFlags::W_OK)?),
        Err(error) if error.kind() == ErrorKind::NotFound => check_writable(path),
        Err(error) => Err(error),
    }
}

fn write_temporary(path: &Path, contents: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix(".ack-ram-authenticator-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(parent_folder(path))?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Syncs the folder of `path`, so that the new name survives a power failure.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(parent_folder(path))?.sync_all()
}

/// Returns the folder that contains `path`.
pub(crate) fn parent_folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Creates `folder` and its parent folders, with at most the permissions in `mode` under any umask.
///
/// # Errors
/// When a folder cannot be created.
pub(crate) fn create_folder(folder: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(folder)
}

/// Opens the file at `path` for reading; `None` if `path` does not exist. Follows links, and never waits for the writer
/// of a pipe.
///
/// # Errors
/// When `path` cannot be opened, is not a regular file, or is a link to a file that does not exist. Such a link is not
/// the same as a missing file, since its target is expected to exist.
pub(crate) fn open_if_present(path: &Path) -> io::Result<Option<File>> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return match fs::symlink_metadata(path) {
                Ok(_) => Err(io::Error::other(
                    "it is a link to a file that does not exist",
                )),
                Err(_) => Ok(None),
            };
        }
        Err(error) => return Err(error),
    };
    if file.metadata()?.is_file() {
        Ok(Some(file))
    } else {
        Err(io::Error::other("it is not a regular file"))
    }
}

/// Reads the whole `file` as text.
///
/// # Errors
/// When the file cannot be read, is not UTF-8, or is longer than `limit` bytes.
pub(crate) fn read_text(file: &File, limit: u64) -> io::Result<String> {
    let mut text = String::new();
    file.take(limit.saturating_add(1))
        .read_to_string(&mut text)?;
    if text.len() as u64 > limit {
        let why = format!("it is longer than {limit} bytes");
        return Err(io::Error::other(why));
    }
    Ok(text)
}

/// Reads the file at `path` as text; `None` if `path` does not exist.
///
/// # Errors
/// As [`open_if_present`] and [`read_text`].
pub(crate) fn read_if_present(path: &Path, limit: u64) -> io::Result<Option<String>> {
    let file = open_if_present(path)?;
    file.map(|file| read_text(&file, limit)).transpose()
}

/// Reads the file at `path` as text.
///
/// # Errors
/// As [`open_if_present`] and [`read_text`], and when `path` does not exist.
pub(crate) fn read_up_to(path: &Path, limit: u64) -> io::Result<String> {
    let text = read_if_present(path, limit)?;
    // Has the same message as an error of the system.
    text.ok_or_else(|| io::Error::from_raw_os_error(nix::errno::Errno::ENOENT as i32))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileTypeExt as _, symlink};

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    /// Uses a pipe in place of `/dev/null`, which root could replace as well.
    #[test]
    fn only_regular_files_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        mkfifo(&path("pipe"), Mode::S_IRWXU).unwrap();
        symlink(path("pipe"), path("link")).unwrap();
        fs::create_dir(path("folder")).unwrap();
        for name in ["pipe", "link", "folder"] {
            fs::write(path("from"), "").unwrap();
            for result in [
                replace(&path(name), b"x", PRIVATE),
                rename(&path("from"), &path(name)),
                check_writable(&path(name)),
            ] {
                let error = result.unwrap_err().to_string();
                assert!(error.contains("not a regular file"), "{name}: {error}");
            }
        }
        let is_pipe = fs::metadata(path("link")).unwrap().file_type().is_fifo();
        assert!(is_pipe, "the pipe was replaced");
        fs::write(path("file"), "").unwrap();
        symlink(path("file"), path("link to a file")).unwrap();
        for name in ["file", "link to a file", "new"] {
            check_writable(&path(name)).unwrap();
            replace(&path(name), b"x", PRIVATE).unwrap();
            assert_eq!(fs::read(path(name)).unwrap(), b"x");
        }
    }
}
