//! The folder of the cache: private files that are replaced as a whole, and locks beside them.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use ack_ram_core::time::UnixTime;
use zeroize::Zeroizing;

use crate::cache::{CacheKey, Entry};
use crate::environment::Environment;
use crate::file_lock::{self, Locked};
use crate::origin::{Origin, Setting};
use crate::platform;
use crate::resolve::home;

/// The maximum size of a file of the cache, in bytes.
const MAX_BYTES: u64 = 64 * 1024;
/// Files that are older are removed. A key lives half a day at most.
const MAX_AGE: Duration = Duration::from_secs(24 * 3600);
/// The start of the names of temporary files.
const TEMPORARY_PREFIX: &str = ".new-";

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

/// The result of taking a lock.
#[derive(Debug)]
pub enum LockAttempt {
    /// The lock is held until the guard is dropped.
    Held(LockGuard),
    /// Another process holds the lock.
    Busy,
    /// There are no locks here.
    Unavailable,
}

/// A lock. It also ends with the process.
#[derive(Debug)]
pub struct LockGuard(#[allow(dead_code, reason = "the open file holds the lock")] File);

impl From<Locked> for LockAttempt {
    fn from(locked: Locked) -> Self {
        match locked {
            Locked::Held(file) => Self::Held(LockGuard(file)),
            Locked::Busy => Self::Busy,
            Locked::Unavailable => Self::Unavailable,
        }
    }
}

impl CacheFolder {
    /// Returns the path of the folder; `None` if the home directory is unknown.
    #[must_use]
    pub fn locate(option: Option<&Path>, environment: &Environment) -> Option<Setting<PathBuf>> {
        const VARIABLE: &str = "ACK_RAM_AUTHENTICATOR_CACHE_DIR";
        const KUBECTL_VARIABLE: &str = "KUBECACHEDIR";
        if let Some(path) = option {
            return Some(Setting::new(path.to_owned(), Origin::Option("--cache-dir")));
        }
        if let Some(path) = environment.get(VARIABLE) {
            return Some(Setting::new(path.into(), Origin::Variable(VARIABLE)));
        }
        if let Some(path) = environment.get(KUBECTL_VARIABLE) {
            let path = Path::new(path).join("ack-ram-authenticator");
            return Some(Setting::new(path, Origin::Variable(KUBECTL_VARIABLE)));
        }
        let path = home(environment)?.join(".kube/cache/ack-ram-authenticator");
        Some(Setting::new(path, Origin::Default))
    }

    /// Creates the folder if it does not exist, and checks it.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be used.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                platform::create_private_folder(path)?;
            }
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        let metadata = fs::metadata(path)?;
        if !metadata.is_dir() {
            return Err(FolderError::NotAFolder);
        }
        match platform::access(&metadata) {
            Some(access) if !access.is_own => Err(FolderError::Foreign),
            Some(access) if access.is_writable_by_others() => Err(FolderError::Writable),
            _ => Ok(Self(path.to_owned())),
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
        let is_private = platform::access(&metadata)
            .is_none_or(|access| access.is_own && access.mode & 0o077 == 0);
        if !metadata.is_file() || metadata.len() > MAX_BYTES || !is_private {
            return None;
        }
        let mut text = Zeroizing::new(String::new());
        file.take(MAX_BYTES).read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// Replaces a file as a whole.
    pub(super) fn write(&self, name: &str, text: &str) -> io::Result<()> {
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
        match platform::open_lock(&self.0.join(name)) {
            Ok(file) => file_lock::try_lock(file).into(),
            Err(_) => LockAttempt::Unavailable,
        }
    }

    pub(super) fn lock(&self, name: &str, deadline: Instant) -> LockAttempt {
        match platform::open_lock(&self.0.join(name)) {
            Ok(file) => file_lock::lock_until(file, deadline).into(),
            Err(_) => LockAttempt::Unavailable,
        }
    }

    /// Returns the entries, sorted by name.
    ///
    /// # Errors
    /// Returns an error if the folder cannot be read.
    pub fn list(&self) -> io::Result<Vec<CachedFile>> {
        let mut files = Vec::new();
        for file in fs::read_dir(&self.0)? {
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

    /// Removes an entry, and what is remembered about its plan.
    ///
    /// # Errors
    /// Returns an error if the entry cannot be removed.
    pub fn clear(&self, key: &CacheKey) -> io::Result<()> {
        self.remove(&key.refusal_name());
        fs::remove_file(self.0.join(key.entry_name()))
    }

    /// Removes files of this cache that nobody has written for a day.
    pub(super) fn remove_old(&self, now: UnixTime) {
        let Ok(seconds) = u64::try_from(now.seconds()) else {
            return;
        };
        let limit = UNIX_EPOCH + Duration::from_secs(seconds).saturating_sub(MAX_AGE);
        let files = fs::read_dir(&self.0).into_iter().flatten().flatten();
        for file in files {
            let name = file.file_name();
            let is_ours = name.to_str().is_some_and(is_cache_file);
            let modified = file.metadata().and_then(|metadata| metadata.modified());
            if is_ours && modified.is_ok_and(|modified| modified < limit) {
                // Another process may have removed it.
                let _ = fs::remove_file(file.path());
            }
        }
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
