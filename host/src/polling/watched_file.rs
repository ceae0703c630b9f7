//! A file that may change while the server runs. Polls check the metadata, and read the file after the metadata has
//! settled.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;

use crate::config::text;
use crate::polling::digest::Digest;
use crate::polling::settling::{BadSpell, LastObserved};

/// The maximum size of a file, enough for 250,000 mappings. The configuration file has the same limit.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// The interval between polls of a file.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// How long a file may be missing before it counts as deleted. Replacing a file may take two steps.
pub(crate) const MAY_BE_MISSING: Duration = Duration::from_secs(5);

/// A file that is polled for changes.
#[derive(Debug)]
pub(crate) struct WatchedFile {
    path: PathBuf,
    missing_grace: Duration,
    last_observed: LastObserved<FileState>,
    missing: BadSpell,
    /// The content that was last read, or the absence that was last reported.
    last_read: Option<LastRead>,
}

/// The state of the path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum FileState {
    File(FileStamp),
    Missing,
    Unreadable(String),
}

/// The metadata that changes with the content of a file, or with its replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FileStamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

#[derive(Debug, PartialEq, Eq)]
enum LastRead {
    /// The content, without a stamp if a later read failed.
    Content(Option<FileStamp>, Digest),
    Missing,
}

/// A change of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FileEvent {
    /// The content has changed.
    Content(String, Digest),
    /// The content has changed, and is not text or too long, for this reason.
    InvalidContent(String, Digest),
    /// The file was written, or can be read again, and has the same content as before.
    SameContent(Digest),
    /// The file was deleted, or never existed.
    Missing,
    /// The file cannot be read, for this reason.
    Unreadable(String),
}

impl WatchedFile {
    /// Creates a watched file that may be missing for `missing_grace` before it counts as deleted.
    pub(crate) fn new(path: PathBuf, missing_grace: Duration) -> Self {
        Self {
            path,
            missing_grace,
            last_observed: LastObserved::default(),
            missing: BadSpell::default(),
            last_read: None,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file now, even if it has not settled. `at` is the current instant.
    pub(crate) fn read_now(&mut self, at: Instant) -> FileEvent {
        let state = observe(&self.path);
        self.missing.end();
        if state == FileState::Missing {
            self.missing.duration_at(at);
        }
        self.last_observed.observe(state.clone());
        match state {
            FileState::Missing => self.record_missing(),
            FileState::Unreadable(why) => self.record_failure(why),
            FileState::File(_) => match read_file(&self.path) {
                Ok((bytes, stamp)) => self.accept(bytes, stamp),
                Err(error) => self.record_failure(error.to_string()),
            },
        }
    }

    /// Returns the change since the last poll, if it has settled. Returns an event at each poll while the file cannot
    /// be read. `at` is the current instant.
    pub(crate) fn poll(&mut self, at: Instant) -> Option<FileEvent> {
        let state = observe(&self.path);
        let has_settled = self.last_observed.observe(state.clone());
        if state != FileState::Missing {
            self.missing.end();
        }
        match state {
            FileState::Missing => {
                let is_gone = self.missing.duration_at(at) > self.missing_grace;
                (is_gone && self.last_read != Some(LastRead::Missing))
                    .then(|| self.record_missing())
            }
            _ if !has_settled => None,
            FileState::Unreadable(why) => Some(self.record_failure(why)),
            FileState::File(stamp) if self.has_read(&stamp) => None,
            FileState::File(stamp) => match read_file(&self.path) {
                // The file was written or replaced after it was observed.
                Ok((_, other)) if other != stamp => None,
                Ok((bytes, stamp)) => Some(self.accept(bytes, stamp)),
                Err(error) => Some(self.record_failure(error.to_string())),
            },
        }
    }

    /// Returns whether the file existed at the last poll and its current content has been read.
    pub(crate) fn is_confirmed(&self) -> bool {
        matches!(self.last_observed.get(), Some(FileState::File(stamp)) if self.has_read(stamp))
    }

    fn has_read(&self, stamp: &FileStamp) -> bool {
        matches!(&self.last_read, Some(LastRead::Content(Some(read_stamp), _)) if read_stamp == stamp)
    }

    fn record_missing(&mut self) -> FileEvent {
        self.last_read = Some(LastRead::Missing);
        FileEvent::Missing
    }

    /// Removes the stamp, so that the next successful read returns an event, even with the same content.
    fn record_failure(&mut self, why: String) -> FileEvent {
        if let Some(LastRead::Content(stamp, _)) = &mut self.last_read {
            *stamp = None;
        }
        FileEvent::Unreadable(why)
    }

    fn accept(&mut self, bytes: Vec<u8>, stamp: FileStamp) -> FileEvent {
        let digest = Digest::from_content(&bytes);
        let before = self
            .last_read
            .replace(LastRead::Content(Some(stamp), digest));
        if matches!(before, Some(LastRead::Content(_, before)) if before == digest) {
            return FileEvent::SameContent(digest);
        }
        if bytes.len() as u64 > MAX_BYTES {
            let why = format!("it is longer than {MAX_BYTES} bytes; shorten it");
            return FileEvent::InvalidContent(why, digest);
        }
        match text::decode(bytes) {
            Ok(text) => FileEvent::Content(text, digest),
            Err(error) => FileEvent::InvalidContent(error.to_string(), digest),
        }
    }
}

/// Returns the state of the file at `path` without opening it. Follows links.
fn observe(path: &Path) -> FileState {
    match fs::metadata(path) {
        Ok(metadata) => match check_regular_file(&metadata) {
            Ok(()) => FileState::File(FileStamp::from_metadata(&metadata)),
            Err(error) => FileState::Unreadable(error.to_string()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => FileState::Missing,
        Err(error) => FileState::Unreadable(error.to_string()),
    }
}

/// Reads the file at `path`, at most one byte more than the limit. Returns the bytes, and the stamp of the file after
/// the read. Never waits for a writer of a FIFO.
fn read_file(path: &Path) -> io::Result<(Vec<u8>, FileStamp)> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)?;
    check_regular_file(&file.metadata()?)?;
    let mut bytes = Vec::new();
    (&file).take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok((bytes, FileStamp::from_metadata(&file.metadata()?)))
}

fn check_regular_file(metadata: &Metadata) -> io::Result<()> {
    let what = if metadata.is_file() {
        return Ok(());
    } else if metadata.is_dir() {
        "it is a folder; use the path of a file in it"
    } else {
        "it is not a regular file; replace it with one"
    };
    Err(io::Error::other(what))
}

impl FileStamp {
    fn from_metadata(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

#[cfg(test)]
mod tests;
