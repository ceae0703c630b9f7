//! Replaces a file: a new file beside the old one takes its place, or the old file is overwritten where that is
//! impossible.

use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::platform;

/// The reason why there is no new file.
#[derive(Debug)]
pub(crate) enum BesideError {
    /// The new file cannot have the owner of the old file.
    Owner,
    /// The folder cannot be written, because of its mode or its file system.
    ReadOnly,
    /// There is another reason.
    Io(io::Error),
}

impl BesideError {
    fn of_folder(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            _ => Self::Io(error),
        }
    }
}

impl From<BesideError> for io::Error {
    fn from(error: BesideError) -> Self {
        match error {
            BesideError::Owner => io::ErrorKind::PermissionDenied.into(),
            BesideError::ReadOnly => io::ErrorKind::ReadOnlyFilesystem.into(),
            BesideError::Io(error) => error,
        }
    }
}

/// Returns the folder of a file.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Writes a new file into the folder of `path`, with the mode and owner of `model`. The content is on the disk before the
/// file gets its name. The name of the new file starts with `prefix`.
pub(crate) fn write_beside(
    path: &Path,
    prefix: &str,
    contents: &[u8],
    model: Option<&Metadata>,
) -> Result<NamedTempFile, BesideError> {
    let mut file = tempfile::Builder::new()
        .prefix(prefix)
        .tempfile_in(folder_of(path))
        .map_err(BesideError::of_folder)?;
    file.write_all(contents).map_err(BesideError::of_folder)?;
    if let Some(model) = model
        && let Err(error) = platform::copy_owner_and_mode(file.as_file(), model)
    {
        return Err(match error.kind() {
            io::ErrorKind::PermissionDenied => BesideError::Owner,
            _ => BesideError::Io(error),
        });
    }
    file.as_file().sync_all().map_err(BesideError::of_folder)?;
    Ok(file)
}

/// Returns whether a file cannot be renamed because it is a mount point, such as a file in a container.
pub(crate) fn is_mount(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ResourceBusy | io::ErrorKind::CrossesDevices
    )
}

/// Writes `new` over the content `old` of a file, with one call of the system. Readers and a crash can meet a mixture of
/// both only within that call. Returns `false` without a change if the file has other content.
pub(crate) fn overwrite(path: &Path, old: &[u8], new: &[u8]) -> io::Result<bool> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut found = Zeroizing::new(Vec::with_capacity(old.len() + 1));
    (&file).take(old.len() as u64 + 1).read_to_end(&mut found)?;
    if *found != old {
        return Ok(false);
    }
    let spaces = vec![b' '; old.len().abs_diff(new.len())];
    let mut text = Zeroizing::new(Vec::with_capacity(old.len().max(new.len())));
    text.extend_from_slice(new);
    if new.len() > old.len() {
        // White space at the end is valid JSON and YAML. If the disk is full, nothing has changed.
        if let Err(error) = write_at(&mut file, old.len(), &spaces) {
            file.set_len(old.len() as u64)?;
            return Err(error);
        }
    } else {
        text.extend_from_slice(&spaces);
    }
    write_at(&mut file, 0, &text)?;
    file.set_len(new.len() as u64)?;
    file.sync_all()?;
    Ok(true)
}

fn write_at(file: &mut std::fs::File, position: usize, text: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(position as u64))?;
    file.write_all(text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn file_is_overwritten_only_if_it_has_the_expected_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for (content, old, new, expected) in [
            ("old", "old", "longer", Some("longer")),
            ("longer", "longer", "new", Some("new")),
            ("old and more", "old", "new", None),
            ("ol", "old", "new", None),
            ("", "old", "new", None),
            ("", "", "new", Some("new")),
        ] {
            fs::write(&path, content).unwrap();
            let is_written = overwrite(&path, old.as_bytes(), new.as_bytes()).unwrap();
            assert_eq!(is_written, expected.is_some(), "{content}");
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(text, expected.unwrap_or(content));
        }
    }
}
