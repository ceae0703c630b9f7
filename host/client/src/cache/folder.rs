//! The folder of the cache: private files that are replaced as a whole, and locks beside them.

use std::fs::{self, Metadata};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use ack_ram_core::time::UnixTime;

use crate::cache::lock::{self, LockAttempt};
use crate::cache::{CacheKey, Entry, RememberedRefusal};
use crate::files::FileAccess;
use crate::platform;

/// The maximum size of a file of the cache, in bytes.
const MAX_BYTES: u64 = 64 * 1024;
/// Files that are older are removed. A key lives half a day at most.
const MAX_AGE: Duration = Duration::from_secs(24 * 3600);
/// The start of the names of temporary files. Files of other programs in a folder that a person selects have other names.
const TEMPORARY_PREFIX: &str = ".ack-ram-authenticator-new-";

/// A folder that belongs to the current user, and that only this user can change.
#[derive(Clone, Debug)]
pub struct CacheFolder(PathBuf);

/// The reason why a folder is not used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder cannot be created or read.
    #[error("the folder cannot be used: {0}")]
    Io(#[from] io::Error),
    /// The path names something else.
    #[error("it is not a folder")]
    NotAFolder,
    /// The folder belongs to another user.
    #[error("it belongs to another user")]
    Foreign,
    /// Other users can write into the folder.
    #[error("other users can write into it")]
    Writable,
}

/// An entry file.
#[derive(Debug)]
pub struct CachedFile {
    /// The key of the entry.
    pub key: CacheKey,
    /// The entry; `None` if the file is not used, because it is damaged or not private.
    pub entry: Option<Entry>,
}

impl CacheFolder {
    /// Checks the folder. A folder that does not exist is created when something is written into it.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be used.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let found = match fs::metadata(path) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => look_again(path, error)?,
            Err(error) => return Err(error.into()),
        };
        match found {
            Some(metadata) if !metadata.is_dir() => return Err(FolderError::NotAFolder),
            Some(metadata) => check_folder(platform::access(&metadata))?,
            None => {}
        }
        Ok(Self(path.to_owned()))
    }

    fn create(&self) -> io::Result<()> {
        match fs::metadata(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                platform::create_private_folder(&self.0)
            }
            result => result.map(|_| ()),
        }
    }

    /// Returns the path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the text of a file. Returns `None` if there is no such file, or if other users can read or change it.
    pub(super) fn read(&self, name: &str) -> Option<Zeroizing<String>> {
        let file = platform::open_without_link(&self.0.join(name)).ok()?;
        let metadata = file.metadata().ok()?;
        let is_private = is_private(platform::access(&metadata));
        if !metadata.is_file() || metadata.len() > MAX_BYTES || !is_private {
            return None;
        }
        let mut text = Zeroizing::new(String::new());
        file.take(MAX_BYTES).read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// Replaces a file as a whole. Does not wait for the disk: a file that a crash of the system damages is ignored.
    pub(super) fn write(&self, name: &str, text: &str) -> io::Result<()> {
        self.create()?;
        let mut file = tempfile::Builder::new()
            .prefix(TEMPORARY_PREFIX)
            .tempfile_in(&self.0)?;
        file.write_all(text.as_bytes())?;
        file.persist(self.0.join(name))?;
        Ok(())
    }

    /// Removes a file. A file that does not exist or cannot be removed is ignored later.
    pub(super) fn remove(&self, name: &str) {
        let _ = fs::remove_file(self.0.join(name));
    }

    pub(super) fn try_lock(&self, name: &str) -> LockAttempt {
        match self.create() {
            Ok(()) => lock::try_lock(&self.0.join(name)),
            Err(_) => LockAttempt::Unavailable,
        }
    }

    pub(super) fn lock(&self, name: &str, deadline: Instant) -> LockAttempt {
        match self.create() {
            Ok(()) => lock::lock_until(&self.0.join(name), deadline),
            Err(_) => LockAttempt::Unavailable,
        }
    }

    /// Returns the entries, sorted by name.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be read.
    pub fn list(&self) -> io::Result<Vec<CachedFile>> {
        let mut files = Vec::new();
        for file in self.files()? {
            let name = file?.file_name();
            let Some(key) = name.to_str().and_then(CacheKey::parse_entry_name) else {
                continue;
            };
            let entry = self.read(&key.entry_name());
            let entry = entry.and_then(|text| Entry::parse(&text, &key));
            files.push(CachedFile { key, entry });
        }
        files.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(files)
    }

    /// Returns the refusals that are remembered at `now`, sorted by cause.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be read.
    pub fn refusals(&self, now: UnixTime) -> io::Result<Vec<RememberedRefusal>> {
        let mut refusals = Vec::new();
        for file in self.files()? {
            let name = file?.file_name();
            let Some(key) = name.to_str().and_then(CacheKey::parse_refusal_name) else {
                continue;
            };
            let text = self.read(&key.refusal_name());
            refusals.extend(text.and_then(|text| RememberedRefusal::parse(&text, now)));
        }
        refusals.sort_by(|a, b| a.cause().cmp(b.cause()));
        Ok(refusals)
    }

    fn files(&self) -> io::Result<impl Iterator<Item = io::Result<fs::DirEntry>>> {
        match fs::read_dir(&self.0) {
            Ok(files) => Ok(Some(files).into_iter().flatten()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None.into_iter().flatten()),
            Err(error) => Err(error),
        }
    }

    /// Removes an entry, and what is remembered about its plan.
    ///
    /// # Errors
    /// Returns an error if the entry cannot be removed.
    pub fn clear(&self, key: &CacheKey) -> io::Result<()> {
        self.remove(&key.refusal_name());
        match fs::remove_file(self.0.join(key.entry_name())) {
            // Another process has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// Removes what the cache holds besides entries: refusals, locks that nobody holds, and files of processes that were
    /// killed while they wrote.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be read.
    pub fn clear_leftovers(&self) -> io::Result<()> {
        for file in self.files()? {
            let file = file?;
            let name = file.file_name();
            let name = name.to_str().unwrap_or_default();
            if is_cache_file(name) && CacheKey::parse_entry_name(name).is_none() {
                remove_file(&file.path());
            }
        }
        Ok(())
    }

    /// Removes files of this cache that nobody has written for a day. The time is that of the file system, which is the
    /// time of the file `name`, because the clock of this machine may be wrong.
    pub(super) fn remove_old(&self, name: &str) {
        let now = fs::symlink_metadata(self.0.join(name)).and_then(|file| file.modified());
        let Some(limit) = now.ok().and_then(|now| now.checked_sub(MAX_AGE)) else {
            return;
        };
        let files = fs::read_dir(&self.0).into_iter().flatten().flatten();
        for file in files {
            let name = file.file_name();
            let is_ours = name.to_str().is_some_and(is_cache_file);
            let modified = file.metadata().and_then(|metadata| metadata.modified());
            if is_ours && modified.is_ok_and(|modified| modified < limit) {
                remove_file(&file.path());
            }
        }
    }
}

/// Looks at a path at which nothing was found because of `error`. Returns what another process has created there in the
/// meantime, or `None` if the name is free.
fn look_again(path: &Path, error: io::Error) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        // The symbolic link leads to nothing.
        Ok(metadata) if metadata.is_symlink() => Err(error),
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Checks that a folder belongs to this user, and that only this user can change it.
fn check_folder(access: Option<FileAccess>) -> Result<(), FolderError> {
    match access {
        Some(access) if !access.is_own => Err(FolderError::Foreign),
        Some(access) if access.is_writable_by_others() => Err(FolderError::Writable),
        _ => Ok(()),
    }
}

/// Returns whether a file belongs to this user, and no other user can read or change it.
fn is_private(access: Option<FileAccess>) -> bool {
    access.is_none_or(|access| access.is_own && access.mode & 0o077 == 0)
}

/// Removes a file, unless it is a lock that a process holds.
fn remove_file(path: &Path) {
    if path
        .extension()
        .is_some_and(|extension| extension == "lock")
    {
        lock::remove(path);
    } else {
        // Another process may have removed it.
        let _ = fs::remove_file(path);
    }
}

/// Returns whether this program writes files with this name into the folder.
fn is_cache_file(name: &str) -> bool {
    let key = name.rsplit_once('.').map_or("", |(key, _)| key);
    let has_known_end = [".json", ".refused", ".lock"]
        .iter()
        .any(|end| name.ends_with(end));
    let is_key = CacheKey::parse_entry_name(&format!("{key}.json")).is_some();
    (has_known_end && is_key) || name.starts_with(TEMPORARY_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn folder_that_another_process_creates_in_the_meantime_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let look = |path: &Path| look_again(path, io::ErrorKind::NotFound.into());
        assert!(look(folder.path()).unwrap().unwrap().is_dir());
        assert!(look(&folder.path().join("free")).unwrap().is_none());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("nothing", &link).unwrap();
        assert!(look(&link).is_err());
    }

    #[test]
    fn owner_and_mode_decide_about_use() {
        for (is_own, mode, folder_is_used, file_is_used) in [
            (true, 0o700, true, true),
            (true, 0o600, true, true),
            (true, 0o755, true, false),
            (true, 0o610, true, false),
            (true, 0o601, true, false),
            (true, 0o770, false, false),
            (true, 0o702, false, false),
            (false, 0o700, false, false),
            (false, 0o600, false, false),
        ] {
            let access = Some(FileAccess { mode, is_own });
            assert_eq!(check_folder(access).is_ok(), folder_is_used, "{mode:o}");
            assert_eq!(is_private(access), file_is_used, "{mode:o}");
        }
        // The system has no owners and modes.
        assert!(check_folder(None).is_ok() && is_private(None));
    }
}
