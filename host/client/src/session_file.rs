//! Writes a renewed session into the file of the Alibaba Cloud CLI.
//!
//! Only the members that a service has just issued change; everything else stays to the byte, with members that this
//! program does not know. The file is replaced as a whole, with its mode and owner, through symbolic links, and under the
//! lock that the SDK of Alibaba Cloud takes. The CLI takes no lock, so its changes are merged ([`replace`]).

mod edit;
mod replace;

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::file_lock::{self, Locked};
use crate::file_replacement::BesideError;
use crate::files::MAX_FILE_BYTES;
use crate::flow::SessionUpdate;
use crate::origin::Profile;
use crate::platform;
pub(crate) use edit::EditError;

/// How often the change is made again, because another program has replaced the file.
const MAX_TRIES: usize = 1000;
/// The pause before a file that is being written is read again. The CLI writes a file in less time.
const PAUSE: Duration = Duration::from_millis(50);

/// The number of bytes by which new tokens can make the file longer.
const MAX_ADDED_BYTES: usize = 16 * 1024;

/// How long other programs are waited for.
#[derive(Clone, Copy)]
struct Patience {
    /// The time for the lock of another program, which holds the lock for milliseconds.
    lock: Duration,
    /// How often a file that is being written is read again.
    pauses: usize,
}

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

/// The result of a try to write a session.
enum Attempt {
    /// The session is written.
    Saved,
    /// Another program has replaced the file in the meantime.
    Again,
}

impl SaveError {
    /// Returns what to do; `None` if nothing has to be done, because a person has changed the profile.
    pub(crate) fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Io(error) if error.kind() == io::ErrorKind::StorageFull => Some(
                "free space on the disk; otherwise you have to sign in again when the session ends",
            ),
            Self::Io(_) => Some(
                "make the file and its folder writable for yourself; otherwise you have to sign in again when the session ends",
            ),
            Self::Edit(EditError::Changed | EditError::NoProfile) => None,
            Self::Edit(EditError::Invalid | EditError::Unsafe) => {
                Some("correct the file, or sign in again with `aliyun configure`")
            }
            Self::Busy => Some(
                "find out which program changes the file; otherwise you have to sign in again when the session ends",
            ),
        }
    }

    /// Returns whether the reason may be that another program is writing the file.
    fn is_half_written(&self) -> bool {
        match self {
            Self::Edit(error) => *error == EditError::Invalid,
            Self::Io(error) => error.kind() == io::ErrorKind::NotFound,
            Self::Busy => false,
        }
    }
}

/// Writes a session.
///
/// # Errors
/// Returns an error if nothing was written.
pub(crate) fn save(update: &SessionUpdate) -> Result<(), SaveError> {
    let patience = Patience {
        lock: Duration::from_secs(2),
        pauses: 40,
    };
    save_with(update, patience)
}

fn save_with(update: &SessionUpdate, patience: Patience) -> Result<(), SaveError> {
    let deadline = Instant::now() + patience.lock;
    let mut pauses = 0;
    for _ in 0..MAX_TRIES {
        match try_save(update, deadline, patience.pauses) {
            Ok(Attempt::Saved) => return Ok(()),
            Ok(Attempt::Again) => {}
            Err(error) if error.is_half_written() && pauses < patience.pauses => {
                pauses += 1;
                std::thread::sleep(PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
    Err(SaveError::Busy)
}

/// Checks that a session can be saved in the file of `profile`: that the file can be replaced or written in place, and that
/// the disk has space for the new file.
///
/// # Errors
/// Returns an error if a save would fail.
pub(crate) fn check_writable(profile: &Profile) -> io::Result<()> {
    let path = fs::canonicalize(&profile.file)?;
    let open = || fs::OpenOptions::new().write(true).open(&path).map(drop);
    match open() {
        // The file is mounted, so that it cannot be replaced, even if its folder can be written.
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let metadata = fs::metadata(&path)?;
    let length = usize::try_from(metadata.len().min(MAX_FILE_BYTES)).unwrap_or_default();
    let length = length + MAX_ADDED_BYTES;
    match replace::write_new(&path, &vec![b' '; length], &metadata) {
        Ok(_) => Ok(()),
        Err(BesideError::Owner | BesideError::ReadOnly) => open(),
        Err(BesideError::Io(error)) => Err(error),
    }
}

/// Locks the folder of the file of `profile`, until the returned file is closed. The lock of the file itself does not
/// suffice: a replaced file has another lock.
pub(crate) fn lock_folder(profile: &Profile, deadline: Instant) -> Locked {
    let path = fs::canonicalize(&profile.file);
    let folder = path.ok().and_then(|path| path.parent().map(Path::to_owned));
    match folder.map(|folder| platform::open(&folder)) {
        Some(Ok(folder)) => file_lock::lock_until(folder, deadline),
        Some(Err(_)) | None => Locked::Unavailable,
    }
}

/// Locks the file of `profile` as the SDK does, until the returned file is closed.
pub(crate) fn lock_file(profile: &Profile, deadline: Instant) -> Locked {
    match platform::open(&profile.file) {
        Ok(file) if platform::HAS_SHARED_LOCKS => file_lock::lock_until(file, deadline),
        Ok(_) | Err(_) => Locked::Unavailable,
    }
}

fn try_save(
    update: &SessionUpdate,
    deadline: Instant,
    pauses: usize,
) -> Result<Attempt, SaveError> {
    // A rename would replace a symbolic link.
    let path = fs::canonicalize(&update.profile.file)?;
    let file = platform::open(&path)?;
    // A program that holds the lock for long was stopped. The file is only replaced if it has not changed.
    let _lock = match platform::HAS_SHARED_LOCKS {
        true => Some(file_lock::lock_until(file.try_clone()?, deadline)),
        false => None,
    };
    let metadata = file.metadata()?;
    if !platform::is_same_file(&metadata, &fs::metadata(&path)?) {
        return Ok(Attempt::Again);
    }
    let base = read(&file)?;
    let edited = edit::edit(&base, update)?;
    let change = replace::Change {
        path: &path,
        metadata: &metadata,
        base,
        edited,
        pauses,
    };
    replace::apply(change, |text| edit::edit(text, update))
}

/// Reads a file from its current position.
fn read(file: &File) -> Result<Zeroizing<String>, SaveError> {
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(EditError::Unsafe.into());
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| EditError::Invalid)?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
