//! Reading files, as an interface: the decision about a plan reads files through it, and tests replace it.

use std::fmt;
use std::path::Path;

use zeroize::Zeroizing;

/// The maximum size of a file with credentials, in bytes. Such files have a few kilobytes.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Reads files.
pub trait Files {
    /// Reads a regular file of at most [`MAX_FILE_BYTES`] bytes. Never waits for a pipe or device.
    ///
    /// # Errors
    /// Returns an error if there is no such file, or if it cannot be read.
    fn read(&self, path: &Path) -> Result<FileContent, FileError>;

    /// Reads a file again after a short pause, because another program may have been writing it.
    ///
    /// # Errors
    /// Returns the same errors as [`Self::read`].
    fn read_again(&self, path: &Path) -> Result<FileContent, FileError>;
}

/// The content of a file, which may hold secrets.
#[derive(Clone)]
pub struct FileContent {
    /// The text, without a byte order mark.
    pub text: Zeroizing<String>,
    /// Who else can read the file; `None` on systems without owners and modes.
    pub access: Option<FileAccess>,
}

/// Owner and mode of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileAccess {
    /// The permission bits.
    pub mode: u32,
    /// Whether the file belongs to the current user.
    pub is_own: bool,
}

impl FileAccess {
    /// Returns whether other users can read the file.
    #[must_use]
    pub fn is_readable_by_others(self) -> bool {
        self.mode & 0o044 != 0
    }

    /// Returns whether other users can change the file.
    #[must_use]
    pub fn is_writable_by_others(self) -> bool {
        self.mode & 0o022 != 0
    }

    /// Returns whether users outside the group of the file can change it.
    #[must_use]
    pub fn is_writable_by_all(self) -> bool {
        self.mode & 0o002 != 0
    }
}

/// The reason why a file cannot be read. `Display` is a predicate, whose subject is the file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// There is no such file.
    #[error("does not exist")]
    NotFound,
    /// The path names something else.
    #[error("is {0}, not a file")]
    NotAFile(&'static str),
    /// The file is larger than [`MAX_FILE_BYTES`].
    #[error("is larger than 1 MiB")]
    TooLarge,
    /// The file is not UTF-8 text.
    #[error("is not UTF-8 text")]
    NotText,
    /// The system refuses to read the file.
    #[error("cannot be read: {0}")]
    Unreadable(String),
}

impl FileContent {
    /// Checks that `bytes` are UTF-8, and removes a byte order mark.
    ///
    /// # Errors
    /// Returns [`FileError::NotText`] if the bytes are not UTF-8.
    pub fn from_bytes(bytes: Vec<u8>, access: Option<FileAccess>) -> Result<Self, FileError> {
        let bytes = Zeroizing::new(bytes);
        let text = std::str::from_utf8(&bytes).map_err(|_| FileError::NotText)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Ok(Self {
            text: Zeroizing::new(text.to_owned()),
            access,
        })
    }
}

impl fmt::Debug for FileContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileContent({} bytes)", self.text.len())
    }
}
