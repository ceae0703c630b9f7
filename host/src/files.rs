//! Files that are there whole or not at all.

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

/// Permission bits for what only the owner may read.
pub(crate) const PRIVATE: u32 = 0o600;

/// Permission bits for what everybody may read.
pub(crate) const PUBLIC: u32 = 0o644;

/// Permission bits for a folder that everybody may read.
pub(crate) const PUBLIC_FOLDER: u32 = 0o755;

/// Permission bits for a folder of the owner alone.
pub(crate) const PRIVATE_FOLDER: u32 = 0o700;

/// Puts `contents` at `path`, in place of the file that was there.
///
/// # Errors
/// When a file cannot be made beside `path` or cannot be moved there, or when something other than a file is there, such
/// as `/dev/null`; what was there is untouched then.
pub(crate) fn replace(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    check_replaceable(path)?;
    let file = write_temporary(path, contents, mode)?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(path)
}

/// Puts `contents` at `path`, where nothing may be yet.
///
/// # Errors
/// As [`replace`], and [`io::ErrorKind::AlreadyExists`].
pub(crate) fn create(path: &Path, contents: &[u8], mode: u32) -> io::Result<()> {
    let file = write_temporary(path, contents, mode)?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    sync_folder(path)
}

/// Moves `from`, in the same folder, to `path`, in place of the file that was there.
///
/// # Errors
/// When that cannot be done, or when something other than a file is there.
pub(crate) fn rename(from: &Path, path: &Path) -> io::Result<()> {
    check_replaceable(path)?;
    fs::rename(from, path)?;
    sync_folder(path)
}

/// Whether [`replace`] could put something at `path`, once the folders on the way were made. Nothing is written.
///
/// # Errors
/// Why not.
pub(crate) fn check_writable(path: &Path) -> io::Result<()> {
    check_replaceable(path)?;
    check_parent_writable(path)
}

/// Whether what is at `path` may be replaced: a regular file, a link to one, or nothing.
fn check_replaceable(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            let text = "it is there and is no regular file, so it is not replaced";
            Err(io::Error::other(text))
        }
        // What cannot be looked at cannot be replaced, either.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Whether a file could be made at `path`, once the folders on the way were made. Nothing is written.
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

/// Whether lines could be appended to the file at `path`, which is made where it is not there. Nothing is written.
///
/// # Errors
/// Why not.
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

/// Makes the new name survive a power failure.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(parent_folder(path))?.sync_all()
}

/// The folder that `path` is in.
pub(crate) fn parent_folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes `folder`, and those on the way to it, with no more permissions than `mode`, whatever the umask.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn create_folder(folder: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(mode).create(folder)
}

/// Opens the file at `path` for reading, or returns nothing where there is nothing. Links are followed. Never waits for
/// the writer of a pipe.
///
/// # Errors
/// When there is something that cannot be opened, is no ordinary file, or is a link to nothing: a file that was meant to
/// be there is not taken for none.
pub(crate) fn open_if_present(path: &Path) -> io::Result<Option<File>> {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return match fs::symlink_metadata(path) {
                Ok(_) => Err(io::Error::other("it is a link to a file that is not there")),
                Err(_) => Ok(None),
            };
        }
        Err(error) => return Err(error),
    };
    if file.metadata()?.is_file() {
        Ok(Some(file))
    } else {
        Err(io::Error::other("it is no ordinary file"))
    }
}

/// Reads all of `file` as text.
///
/// # Errors
/// When it cannot be read, or is longer than `limit` bytes.
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

/// The text at `path`, or `None` where there is nothing.
///
/// # Errors
/// When there is something that cannot be read, or is longer than `limit` bytes.
pub(crate) fn read_if_present(path: &Path, limit: u64) -> io::Result<Option<String>> {
    let file = open_if_present(path)?;
    file.map(|file| read_text(&file, limit)).transpose()
}

/// The text of the file at `path`.
///
/// # Errors
/// When it cannot be read, is no ordinary file, or is longer than `limit` bytes.
pub(crate) fn read_up_to(path: &Path, limit: u64) -> io::Result<String> {
    let text = read_if_present(path, limit)?;
    // The message of the system, for there is nothing to add to it.
    text.ok_or_else(|| io::Error::from_raw_os_error(nix::errno::Errno::ENOENT as i32))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileTypeExt as _, symlink};

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    /// A pipe stands for `/dev/null`, which root could replace, too.
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
                assert!(error.contains("no regular file"), "{name}: {error}");
            }
        }
        let is_pipe = fs::metadata(path("link")).unwrap().file_type().is_fifo();
        assert!(is_pipe, "what was there is untouched");
        fs::write(path("file"), "").unwrap();
        symlink(path("file"), path("link to a file")).unwrap();
        for name in ["file", "link to a file", "new"] {
            check_writable(&path(name)).unwrap();
            replace(&path(name), b"x", PRIVATE).unwrap();
            assert_eq!(fs::read(path(name)).unwrap(), b"x");
        }
    }
}
