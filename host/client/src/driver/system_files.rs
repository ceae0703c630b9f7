//! The files of the system.

use std::fs::FileType;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use crate::files::{FileContent, FileError, Files, MAX_FILE_BYTES};
use crate::platform;

/// The pause before a file that is being written is read again. The CLI writes a file in less time.
const PAUSE: Duration = Duration::from_millis(50);

/// The reason why a file cannot be read whose path leads nowhere.
const BROKEN_LINK: &str = "a symbolic link in its path leads nowhere";

/// Reads files of the system.
#[derive(Clone, Copy, Debug)]
pub struct SystemFiles;

impl Files for SystemFiles {
    fn read(&self, path: &Path) -> Result<FileContent, FileError> {
        let unreadable = |error: io::Error| match error.kind() {
            // A path through a file, such as `/dev/null/.aliyun`, names nothing.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory if !has_broken_link(path) => {
                FileError::NotFound
            }
            io::ErrorKind::NotFound => FileError::Unreadable(BROKEN_LINK.to_owned()),
            _ => FileError::Unreadable(error.to_string()),
        };
        let file = platform::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(FileError::NotAFile(kind(metadata.file_type())));
        }
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(FileError::TooLarge);
        }
        FileContent::from_bytes(bytes, platform::access(&metadata))
    }

    fn read_again(&self, path: &Path) -> Result<FileContent, FileError> {
        std::thread::sleep(PAUSE);
        self.read(path)
    }
}

/// Returns whether a path leads over a symbolic link to nothing, such as a volume that is not mounted. Somebody has set
/// such a file up, so it must not be passed over for a file with another identity.
fn has_broken_link(path: &Path) -> bool {
    path.ancestors()
        .any(|part| part.is_symlink() && matches!(part.try_exists(), Ok(false)))
}

fn kind(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a folder"
    } else {
        "a pipe or a device"
    }
}

#[cfg(test)]
mod tests;
