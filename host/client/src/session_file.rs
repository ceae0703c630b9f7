//! Writes a renewed session into the file of the Alibaba Cloud CLI.
//!
//! Only the members that a service has just issued change; everything else stays to the byte, with members that this
//! program does not know. The file is replaced as a whole, with its mode and owner, through symbolic links, and under the
//! lock that the SDK of Alibaba Cloud takes.

mod edit;

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::file_lock::{self, Locked};
use crate::files::MAX_FILE_BYTES;
use crate::flow::SessionUpdate;
use crate::platform;
pub(crate) use edit::EditError;

/// How long a lock of another program is waited for.
const LOCK_TIME: Duration = Duration::from_secs(2);
/// How often the change is made again, because another program has replaced the file in the meantime.
const MAX_TRIES: usize = 20;

/// The reason why a session was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SaveError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file cannot be changed safely.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// Other programs write the file all the time.
    #[error("other programs keep changing the file")]
    Busy,
}

/// Writes a session.
///
/// # Errors
/// Returns an error if nothing was written.
pub(crate) fn save(update: &SessionUpdate) -> Result<(), SaveError> {
    // A rename would replace a symbolic link.
    let path = fs::canonicalize(&update.profile.file)?;
    let deadline = Instant::now() + LOCK_TIME;
    for _ in 0..MAX_TRIES {
        let file = File::open(&path)?;
        let before = file.metadata()?;
        let _lock = match platform::HAS_SHARED_LOCKS {
            true => match file_lock::lock_until(file.try_clone()?, deadline) {
                Locked::Held(file) => Some(file),
                Locked::Busy => return Err(SaveError::Busy),
                Locked::Unavailable => None,
            },
            false => None,
        };
        if !is_same(&before, &path)? {
            continue;
        }
        let text = read(file)?;
        let edited = edit::edit(&text, update)?;
        let written = write_beside(&path, &before, &edited)?;
        // The CLI takes no lock. Its change between the reading and now would be lost.
        if is_same(&before, &path)? {
            written.persist(&path).map_err(|error| error.error)?;
            return Ok(());
        }
    }
    Err(SaveError::Busy)
}

fn read(file: File) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_FILE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// Writes a new file with the mode and owner of the old one, on the disk before it gets its name.
fn write_beside(path: &Path, old: &Metadata, text: &str) -> io::Result<tempfile::NamedTempFile> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".config-")
        .tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    platform::copy_owner_and_mode(file.as_file(), old)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Returns whether the path still names the file whose metadata is `before`, unchanged.
fn is_same(before: &Metadata, path: &Path) -> io::Result<bool> {
    let now = fs::metadata(path)?;
    Ok(platform::is_same_file(before, &now)
        && before.len() == now.len()
        && before.modified()? == now.modified()?)
}
