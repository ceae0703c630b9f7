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

use crate::backends::feed::Digest;
use crate::config::text;

/// Room for a quarter of a million mappings, as in the configuration file.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// How often a file is looked at.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long a file may be missing, as between two steps of replacing it, before it counts as gone.
pub(crate) const MAY_BE_MISSING: Duration = Duration::from_secs(5);

/// Calls `look`, which may block, each `interval`, until `stop` is true or its sender is gone.
pub(crate) async fn look_again_and_again(
    interval: Duration,
    mut stop: watch::Receiver<bool>,
    look: impl Fn() + Send + Sync + 'static,
) {
    let look = Arc::new(look);
    loop {
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        let look = Arc::clone(&look);
        if let Err(error) = tokio::task::spawn_blocking(move || look()).await {
            tracing::error!("looking at a file failed: {error}");
        }
    }
}

/// A file that is looked at from time to time.
#[derive(Debug)]
pub(crate) struct WatchedFile {
    path: PathBuf,
    may_be_missing: Duration,
    /// What the last look saw.
    last: Option<Look>,
    missing_since: Option<Instant>,
    /// What was last read, or told.
    taken: Option<Taken>,
}

/// What is there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Look {
    File(Stamp),
    Missing,
    Unreadable(String),
}

/// What changes with the content of a file, or with which file it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

#[derive(Debug, PartialEq, Eq)]
enum Taken {
    /// No stamp when it could not be read since.
    Content(Option<Stamp>, Digest),
    Missing,
}

/// What has happened to a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It has another content.
    Content(String, Digest),
    /// It has another content, which is no text of a length that is read, for this reason.
    Unfit(String, Digest),
    /// It was written, or can be read again, and has the content of before.
    SameContent(Digest),
    /// It is gone, or was never there.
    Missing,
    /// It cannot be read, for this reason.
    Unreadable(String),
}

impl WatchedFile {
    /// `may_be_missing`: how long it may be missing before it counts as gone.
    pub(crate) fn new(path: PathBuf, may_be_missing: Duration) -> Self {
        Self {
            path,
            may_be_missing,
            last: None,
            missing_since: None,
            taken: None,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what is there now, settled or not. `at` is now.
    pub(crate) fn read_now(&mut self, at: Instant) -> Seen {
        let look = look(&self.path);
        self.missing_since = (look == Look::Missing).then_some(at);
        self.last = Some(look.clone());
        match look {
            Look::Missing => self.miss(),
            Look::Unreadable(why) => self.fail(why),
            Look::File(_) => match read(&self.path) {
                Ok((bytes, stamp)) => self.take(bytes, stamp),
                Err(error) => self.fail(error.to_string()),
            },
        }
    }

    /// What has happened since the last look, if it has settled. What cannot be read is told each time. `at` is now.
    pub(crate) fn look(&mut self, at: Instant) -> Option<Seen> {
        let look = look(&self.path);
        let before = self.last.replace(look.clone());
        if look != Look::Missing {
            self.missing_since = None;
        }
        match look {
            Look::Missing => {
                let since = *self.missing_since.get_or_insert(at);
                let is_gone = at.saturating_duration_since(since) > self.may_be_missing;
                (is_gone && self.taken != Some(Taken::Missing)).then(|| self.miss())
            }
            _ if before.as_ref() != Some(&look) => None,
            Look::Unreadable(why) => Some(self.fail(why)),
            Look::File(stamp) if self.has_taken(&stamp) => None,
            Look::File(stamp) => match read(&self.path) {
                // It has been written, or replaced, since the look.
                Ok((_, other)) if other != stamp => None,
                Ok((bytes, stamp)) => Some(self.take(bytes, stamp)),
                Err(error) => Some(self.fail(error.to_string())),
            },
        }
    }

    /// Returns whether the last look has seen the file, and what is in it has been read.
    pub(crate) fn is_confirmed(&self) -> bool {
        matches!(&self.last, Some(Look::File(stamp)) if self.has_taken(stamp))
    }

    fn has_taken(&self, stamp: &Stamp) -> bool {
        matches!(&self.taken, Some(Taken::Content(Some(taken), _)) if taken == stamp)
    }

    fn miss(&mut self) -> Seen {
        self.taken = Some(Taken::Missing);
        Seen::Missing
    }

    /// When it can be read again, even as it was, that has to be told.
    fn fail(&mut self, why: String) -> Seen {
        if let Some(Taken::Content(stamp, _)) = &mut self.taken {
            *stamp = None;
        }
        Seen::Unreadable(why)
    }

    fn take(&mut self, bytes: Vec<u8>, stamp: Stamp) -> Seen {
        let digest = Digest::of_content(&bytes);
        let before = self.taken.replace(Taken::Content(Some(stamp), digest));
        if matches!(before, Some(Taken::Content(_, before)) if before == digest) {
            return Seen::SameContent(digest);
        }
        if bytes.len() as u64 > MAX_BYTES {
            let why = format!("it is longer than {MAX_BYTES} bytes; remove what is not mappings");
            return Seen::Unfit(why, digest);
        }
        match text::decode(bytes) {
            Ok(text) => Seen::Content(text, digest),
            Err(error) => Seen::Unfit(error.to_string(), digest),
        }
    }
}

/// What is at `path`, links followed. Nothing is opened.
fn look(path: &Path) -> Look {
    match fs::metadata(path) {
        Ok(metadata) => match check(&metadata) {
            Ok(()) => Look::File(Stamp::of(&metadata)),
            Err(error) => Look::Unreadable(error.to_string()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Look::Missing,
        Err(error) => Look::Unreadable(error.to_string()),
    }
}

/// The bytes at `path`, one more than the limit at most, and the stamp that the file has after that. It never waits for
/// a writer.
fn read(path: &Path) -> io::Result<(Vec<u8>, Stamp)> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)?;
    check(&file.metadata()?)?;
    let mut bytes = Vec::new();
    (&file).take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok((bytes, Stamp::of(&file.metadata()?)))
}

fn check(metadata: &Metadata) -> io::Result<()> {
    let what = if metadata.is_file() {
        return Ok(());
    } else if metadata.is_dir() {
        "it is a folder; name a file in it"
    } else {
        "it is no ordinary file; put one there"
    };
    Err(io::Error::other(what))
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
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
