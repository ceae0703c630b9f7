//! A file that somebody edits while it is watched: in place, by renaming another over it, or, as Kubernetes does, by
//! turning a symbolic link to another folder.
//!
//! It is looked at again and again, since no notification survives all of these. What has been seen to be the same
//! twice is read: a file that is being written has settled by then.

use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use tokio::sync::watch;

use crate::backends::document_source::Digest;
use crate::config::text;

/// Room for a quarter of a million mappings, as in the configuration file.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// How often a file is looked at.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// How long a file may be missing, as between two steps of replacing it, before it counts as gone.
pub(crate) const MAY_BE_MISSING: Duration = Duration::from_secs(5);

/// Calls `poll`, which may block, each `interval`, until `stop` is true or its sender is gone.
pub(crate) async fn poll_until_stopped(
    interval: Duration,
    mut stop: watch::Receiver<bool>,
    poll: impl Fn() + Send + Sync + 'static,
) {
    let poll = Arc::new(poll);
    loop {
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let poll = Arc::clone(&poll);
        if let Err(error) = tokio::task::spawn_blocking(move || poll()).await {
            tracing::error!("looking at a file failed: {error}");
        }
    }
}

/// A file that is polled.
#[derive(Debug)]
pub(crate) struct WatchedFile {
    path: PathBuf,
    missing_grace: Duration,
    /// The state at the last poll.
    last_observed: Option<FileState>,
    missing_since: Option<Instant>,
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
    /// No stamp when it could not be read since.
    Content(Option<FileStamp>, Digest),
    Missing,
}

/// A change of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FileEvent {
    /// It has another content.
    Content(String, Digest),
    /// It has another content, which is no text of a length that is read, for this reason.
    InvalidContent(String, Digest),
    /// It was written, or can be read again, and has the content of before.
    SameContent(Digest),
    /// It is gone, or was never there.
    Missing,
    /// It cannot be read, for this reason.
    Unreadable(String),
}

impl WatchedFile {
    /// `missing_grace`: how long it may be missing before it counts as gone.
    pub(crate) fn new(path: PathBuf, missing_grace: Duration) -> Self {
        Self {
            path,
            missing_grace,
            last_observed: None,
            missing_since: None,
            last_read: None,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the file now, settled or not. `at` is the current instant.
    pub(crate) fn read_now(&mut self, at: Instant) -> FileEvent {
        let state = observe(&self.path);
        self.missing_since = (state == FileState::Missing).then_some(at);
        self.last_observed = Some(state.clone());
        match state {
            FileState::Missing => self.record_missing(),
            FileState::Unreadable(why) => self.record_failure(why),
            FileState::File(_) => match read_file(&self.path) {
                Ok((bytes, stamp)) => self.accept(bytes, stamp),
                Err(error) => self.record_failure(error.to_string()),
            },
        }
    }

    /// Returns the change since the last poll, if it has settled. An unreadable file gives an event at each poll. `at` is
    /// the current instant.
    pub(crate) fn poll(&mut self, at: Instant) -> Option<FileEvent> {
        let state = observe(&self.path);
        let before = self.last_observed.replace(state.clone());
        if state != FileState::Missing {
            self.missing_since = None;
        }
        match state {
            FileState::Missing => {
                let since = *self.missing_since.get_or_insert(at);
                let is_gone = at.saturating_duration_since(since) > self.missing_grace;
                (is_gone && self.last_read != Some(LastRead::Missing))
                    .then(|| self.record_missing())
            }
            _ if before.as_ref() != Some(&state) => None,
            FileState::Unreadable(why) => Some(self.record_failure(why)),
            FileState::File(stamp) if self.has_read(&stamp) => None,
            FileState::File(stamp) => match read_file(&self.path) {
                // The file has been written or replaced since it was observed.
                Ok((_, other)) if other != stamp => None,
                Ok((bytes, stamp)) => Some(self.accept(bytes, stamp)),
                Err(error) => Some(self.record_failure(error.to_string())),
            },
        }
    }

    /// Returns whether the file was there at the last poll, and its content has been read.
    pub(crate) fn is_confirmed(&self) -> bool {
        matches!(&self.last_observed, Some(FileState::File(stamp)) if self.has_read(stamp))
    }

    fn has_read(&self, stamp: &FileStamp) -> bool {
        matches!(&self.last_read, Some(LastRead::Content(Some(read_stamp), _)) if read_stamp == stamp)
    }

    fn record_missing(&mut self) -> FileEvent {
        self.last_read = Some(LastRead::Missing);
        FileEvent::Missing
    }

    /// Forgets the stamp, so that the next successful read gives an event, even with the same content.
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
            let why = format!("it is longer than {MAX_BYTES} bytes; remove what is not mappings");
            return FileEvent::InvalidContent(why, digest);
        }
        match text::decode(bytes) {
            Ok(text) => FileEvent::Content(text, digest),
            Err(error) => FileEvent::InvalidContent(error.to_string(), digest),
        }
    }
}

/// Returns the state of `path`, following links, without opening it.
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

/// The bytes at `path`, one more than the limit at most, and the stamp that the file has after that. It never waits for
/// a writer.
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
        "it is a folder; name a file in it"
    } else {
        "it is no ordinary file; put one there"
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
