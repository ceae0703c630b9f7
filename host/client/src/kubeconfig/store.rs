//! Reads kubeconfig files, and replaces them with their mode and owner, through symbolic links.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use serde_json::Value;
use zeroize::Zeroizing;

use super::edit::{self, EditError};
use super::error::KubeconfigError;
use crate::file_replacement::{BesideError, folder_of, is_mount, overwrite, write_beside};
use crate::files::{FileContent, FileError};
use crate::platform;

/// The maximum size of a kubeconfig. A large one has a thousand clusters with a certificate each.
const MAX_BYTES: u64 = 16 << 20;
/// The maximum number of symbolic links to follow, as in Linux.
const MAX_LINKS: usize = 40;
/// The start of the names of new files.
const PREFIX: &str = ".kubeconfig-";
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A kubeconfig file.
#[derive(Debug)]
pub(super) struct KubeconfigFile {
    pub(super) path: PathBuf,
    /// The text without a byte order mark; empty if the file does not exist.
    pub(super) text: Zeroizing<String>,
    /// The values of the text.
    pub(super) values: Value,
    pub(super) exists: bool,
    has_mark: bool,
}

impl KubeconfigFile {
    /// Reads a file. A missing file has no entries.
    pub(super) fn read(path: &Path) -> Result<Self, KubeconfigError> {
        let unreadable = |error| KubeconfigError::Unreadable {
            path: path.to_owned(),
            error,
        };
        let bytes = read_bytes(path).map_err(unreadable)?;
        let exists = bytes.is_some();
        let bytes = bytes.unwrap_or_default();
        let has_mark = bytes.starts_with(BYTE_ORDER_MARK.as_bytes());
        let text = FileContent::from_bytes(bytes, None)
            .map_err(unreadable)?
            .text;
        let values = edit::parse_values(&text).and_then(|values| match values {
            Value::Object(_) | Value::Null => Ok(values),
            _ => Err(EditError::NotAMap),
        });
        let values = values.map_err(|error| KubeconfigError::Invalid {
            path: path.to_owned(),
            error,
        })?;
        Ok(Self {
            path: path.to_owned(),
            text,
            values,
            exists,
            has_mark,
        })
    }

    /// Writes a new text. Returns whether the file was written: not if another program has changed the file since it was
    /// read.
    pub(super) fn write(&self, text: &str) -> Result<bool, KubeconfigError> {
        self.try_write(text)
            .map_err(|error| KubeconfigError::Write {
                path: self.path.clone(),
                error,
            })
    }

    fn try_write(&self, text: &str) -> io::Result<bool> {
        let contents = self.with_mark(text);
        let target = follow_links(&self.path)?;
        let old = match fs::metadata(&target) {
            Ok(metadata) => Some(metadata),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if old.is_some() {
            // A file that its owner has made read-only must not be replaced either.
            OpenOptions::new().write(true).open(&target)?;
        }
        let is_bound_to_place = old.as_ref().is_some_and(platform::has_other_names);
        let written = match (&old, is_bound_to_place) {
            (_, true) => None,
            (old, false) => match write_beside(&target, PREFIX, &contents, old.as_ref()) {
                Ok(written) => Some(written),
                // The file may be writable in a folder that is not, and may belong to somebody else.
                Err(BesideError::Owner | BesideError::ReadOnly) if old.is_some() => None,
                Err(error) => return Err(error.into()),
            },
        };
        // Editors take no lock. Their change would be lost.
        if !self.is_unchanged() {
            return Ok(false);
        }
        let in_place = || overwrite(&target, &self.with_mark(&self.text), &contents);
        let Some(written) = written else {
            return in_place();
        };
        let persisted = match &old {
            Some(_) => written.persist(&target),
            None => written.persist_noclobber(&target),
        };
        match persisted {
            Ok(_) => Ok(true),
            Err(error) if is_mount(&error.error) => in_place(),
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error.error),
        }
    }

    /// Copies the file as it was read to a new file beside it, with its mode and owner. Returns the path.
    pub(super) fn back_up(&self) -> Result<PathBuf, KubeconfigError> {
        let target = follow_links(&self.path).unwrap_or_else(|_| self.path.clone());
        let backup = (1_usize..).map(|number| {
            let mut name = target.clone().into_os_string();
            name.push(".before-ack-ram-authenticator");
            if number > 1 {
                name.push(format!("-{number}"));
            }
            PathBuf::from(name)
        });
        let failed = |path: &Path, error| KubeconfigError::Write {
            path: path.to_owned(),
            error,
        };
        let old = fs::metadata(&target).map_err(|error| failed(&target, error))?;
        for path in backup {
            let written = write_beside(&path, PREFIX, &self.with_mark(&self.text), Some(&old))
                .map_err(|error| failed(&path, error.into()))?;
            match written.persist_noclobber(&path) {
                Ok(_) => return Ok(path),
                Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(&path, error.error)),
            }
        }
        Err(KubeconfigError::Busy)
    }

    fn with_mark(&self, text: &str) -> Zeroizing<Vec<u8>> {
        let mark = if self.has_mark { BYTE_ORDER_MARK } else { "" };
        Zeroizing::new([mark.as_bytes(), text.as_bytes()].concat())
    }

    fn is_unchanged(&self) -> bool {
        match read_bytes(&self.path) {
            Ok(Some(bytes)) => self.exists && *Zeroizing::new(bytes) == *self.with_mark(&self.text),
            Ok(None) => !self.exists,
            Err(_) => false,
        }
    }
}

/// Reads a file; `None` if it does not exist.
fn read_bytes(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    let unreadable = |error: io::Error| FileError::Unreadable(error.to_string());
    let file = match platform::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(FileError::NotAFile("a folder"));
    }
    if !metadata.is_file() {
        return Err(FileError::NotAFile("a pipe or a device"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(FileError::Unreadable("it is larger than 16 MiB".to_owned()));
    }
    Ok(Some(bytes))
}

/// Follows symbolic links, also to a file that does not exist yet.
fn follow_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&path) {
            Ok(link) => path = folder_of(&path).join(link),
            // The path names no link, or nothing.
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::NotFound) => {
                return Ok(path);
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("there are too many symbolic links"))
}
