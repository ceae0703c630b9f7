//! Replaces a file whose other writers take no lock.
//!
//! A check before a rename leaves a moment in which a change of another program is lost. So the new file and the old one
//! are exchanged in one step. If the old file then has other content than the change was made from, another program has
//! written it, and the change is made again from that content.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;
use std::time::Duration;

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::file_lock::{self, Locked};
use crate::file_replacement::{BesideError, is_mount, overwrite, write_beside};
use crate::platform;
use crate::session_file::edit::EditError;
use crate::session_file::{Attempt, PAUSE, SaveError, read};

/// The start of the names of new files.
const TEMPORARY_PREFIX: &str = ".ack-ram-config-";
/// The age from which a new file was left by a process that was killed.
const LEFTOVER_AGE: Duration = Duration::from_secs(3600);

/// A change of a file.
pub(super) struct Change<'a> {
    /// The path, without symbolic links.
    pub(super) path: &'a Path,
    /// Owner and mode of the file.
    pub(super) metadata: &'a Metadata,
    /// The content from which the change was made.
    pub(super) base: Zeroizing<String>,
    /// The new content.
    pub(super) edited: Zeroizing<String>,
    /// How often a file that another program is writing is read again.
    pub(super) pauses: usize,
}

/// Makes a change. `edit` makes the change from other content.
pub(super) fn apply(
    change: Change<'_>,
    edit: impl Fn(&str) -> Result<Zeroizing<String>, EditError>,
) -> Result<Attempt, SaveError> {
    if *read(&platform::open(change.path)?)? != *change.base {
        return Ok(Attempt::Again);
    }
    exchange_and_settle(change, edit)
}

/// Makes a change of a file that had the expected content a moment ago.
pub(super) fn exchange_and_settle(
    change: Change<'_>,
    edit: impl Fn(&str) -> Result<Zeroizing<String>, EditError>,
) -> Result<Attempt, SaveError> {
    let new = match change.write_beside() {
        Ok(new) => new,
        // A new file would have another owner, or the file is mounted into a folder that cannot be written.
        Err(BesideError::Owner | BesideError::ReadOnly) => return change.overwrite(),
        Err(BesideError::Io(error)) => return Err(error.into()),
    };
    match platform::exchange(new.path(), change.path) {
        Ok(()) => change.settle(new, edit),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => change.rename(new),
        Err(error) if is_mount(&error) => change.overwrite(),
        Err(error) => Err(error.into()),
    }
}

impl Change<'_> {
    /// Writes the new file, and locks it, so that programs that take the lock wait until the change is complete.
    pub(super) fn write_beside(&self) -> Result<NamedTempFile, BesideError> {
        let file = write_new(self.path, self.edited.as_bytes(), self.metadata)?;
        if let Ok(own) = file.as_file().try_clone() {
            // Some file systems have no locks.
            let _ = file_lock::try_lock(own);
        }
        Ok(file)
    }

    /// Writes the file in place, where a new file cannot take its place.
    fn overwrite(&self) -> Result<Attempt, SaveError> {
        match overwrite(self.path, self.base.as_bytes(), self.edited.as_bytes())? {
            true => Ok(Attempt::Saved),
            false => Ok(Attempt::Again),
        }
    }

    /// Renames the new file, for systems that cannot exchange files.
    pub(super) fn rename(&self, new: NamedTempFile) -> Result<Attempt, SaveError> {
        match new.persist(self.path) {
            Ok(_) => {
                self.finish();
                Ok(Attempt::Saved)
            }
            Err(error) if is_mount(&error.error) => self.overwrite(),
            Err(error) => Err(error.error.into()),
        }
    }

    /// Checks after the exchange that `new` now has the content from which the change was made. If it has not, makes the
    /// change again from its content.
    fn settle(
        mut self,
        mut new: NamedTempFile,
        edit: impl Fn(&str) -> Result<Zeroizing<String>, EditError>,
    ) -> Result<Attempt, SaveError> {
        let mut is_half_written = false;
        for _ in 0..=self.pauses {
            let edited = match read(&platform::open(new.path())?) {
                Ok(found) if *found == *self.base => {
                    self.finish();
                    return Ok(Attempt::Saved);
                }
                Ok(found) => edit(&found).map_err(SaveError::from),
                Err(error) => Err(error),
            };
            is_half_written = edited.as_ref().is_err_and(SaveError::is_half_written);
            match edited {
                Ok(edited) => {
                    // What is expected at the path is what this process has put there.
                    self.base = std::mem::replace(&mut self.edited, edited);
                    let next = match self.write_beside() {
                        Ok(next) => next,
                        Err(error) => return self.put_back(&new, SaveError::Io(error.into())),
                    };
                    platform::exchange(next.path(), self.path)?;
                    new = next;
                }
                Err(_) if is_half_written => std::thread::sleep(PAUSE),
                Err(error) => return self.put_back(&new, error),
            }
        }
        if is_half_written {
            // The other program was killed while it wrote the file in place.
            return Ok(Attempt::Saved);
        }
        self.put_back(&new, SaveError::Busy)
    }

    /// Gives the file of another program its name back, and returns `error`.
    fn put_back(&self, new: &NamedTempFile, error: SaveError) -> Result<Attempt, SaveError> {
        platform::exchange(new.path(), self.path)?;
        Err(error)
    }

    /// Makes the name durable, and removes what killed processes have left. Both are for the best only.
    fn finish(&self) {
        let Some(folder) = self.path.parent() else {
            return;
        };
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
        let now = fs::metadata(self.path).and_then(|file| file.modified());
        let Some(limit) = now.ok().and_then(|now| now.checked_sub(LEFTOVER_AGE)) else {
            return;
        };
        for file in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = file.file_name();
            let is_ours = name
                .to_str()
                .is_some_and(|name| name.starts_with(TEMPORARY_PREFIX));
            let modified = file.metadata().and_then(|metadata| metadata.modified());
            if is_ours && modified.is_ok_and(|modified| modified < limit) {
                remove_unless_locked(&file.path());
            }
        }
    }
}

/// Writes a new file beside `path`, with the mode and owner of `model`.
pub(super) fn write_new(
    path: &Path,
    contents: &[u8],
    model: &Metadata,
) -> Result<NamedTempFile, BesideError> {
    write_beside(path, TEMPORARY_PREFIX, contents, Some(model))
}

/// Removes a file, unless the process that writes it has locked it.
fn remove_unless_locked(path: &Path) {
    let file = platform::open_without_link(path);
    if let Ok(Locked::Held(_file)) = file.map(file_lock::try_lock) {
        let _ = fs::remove_file(path);
    }
}
