//! The files of this repository, for tests of its sources and documents.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that contain no files of the repository.
const SKIPPED_FOLDERS: [&str; 3] = [".git", "target", "dist"];

/// Returns the root folder of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the files below `folder`, relative to it and sorted. `folder` is relative to the root folder.
///
/// # Panics
/// If a folder cannot be read.
#[must_use]
pub fn files_below(folder: &str) -> Vec<PathBuf> {
    let top = root().join(folder);
    let mut folders = vec![top.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder can be read") {
            let path = entry.expect("the folder can be read").path();
            if !path.is_dir() {
                files.push(path.strip_prefix(&top).unwrap_or(&path).to_owned());
            } else if !SKIPPED_FOLDERS.iter().any(|name| path.ends_with(name)) {
                folders.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Returns the text of `file`, which is relative to the root folder.
///
/// # Panics
/// If the file cannot be read, or is not text.
#[must_use]
pub fn read(file: &Path) -> String {
    fs::read_to_string(root().join(file))
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
