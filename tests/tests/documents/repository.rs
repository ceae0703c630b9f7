//! The files of this repository.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that contain no files of the repository.
const SKIPPED_FOLDERS: [&str; 3] = [".git", "target", "dist"];

/// Returns the root folder of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Returns every file whose name `accept` accepts, relative to the root folder and sorted.
pub(crate) fn files(accept: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let root = root();
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !SKIPPED_FOLDERS.contains(&name) {
                    folders.push(path);
                }
            } else if accept(name) {
                found.push(path.strip_prefix(&root).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// Returns every Markdown document.
pub(crate) fn documents() -> Vec<PathBuf> {
    files(|name| name.ends_with(".md"))
}

/// Returns the text of `file`, a path relative to the root folder.
pub(crate) fn read(file: &Path) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}
