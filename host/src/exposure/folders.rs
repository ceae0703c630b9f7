//! Folders in which other users may replace a file.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};

use crate::exposure::remedy;
use crate::files;
use crate::files::ownership::{Ownership, process_uid};

/// The folder in which, or above which, other users may replace the file at `path`, and what to say of it.
pub(super) fn folder_exposure(path: &Path) -> Option<(PathBuf, String)> {
    // Where a link leads, other folders count, too.
    let beyond = fs::canonicalize(path).ok();
    let named = nearest_existing(files::parent_folder(path)).map(|(folder, is_there)| {
        let child = folder.join(path.file_name().unwrap_or_default());
        (folder, child, is_there && beyond.is_some())
    });
    let beyond = beyond
        .as_ref()
        .and_then(|target| Some((target.parent()?.to_owned(), target.clone(), true)));
    let exposed = [named, beyond]
        .into_iter()
        .flatten()
        .find_map(|(folder, child, is_there)| find_exposed_ancestor(&folder, child, is_there));
    let (above, ownership, remedy) = exposed?;
    let text = format!(
        "the folder `{}` {ownership}, so other users may replace `{}`; {remedy}",
        above.display(),
        path.display()
    );
    Some((above, text))
}

/// The deepest folder of `folder` and those above it that is there, and whether it is `folder` itself.
fn nearest_existing(folder: &Path) -> Option<(PathBuf, bool)> {
    let found = folder.ancestors().find_map(|above| {
        Some((
            fs::canonicalize(current_if_empty(above)).ok()?,
            above == folder,
        ))
    });
    found.filter(|(found, _)| found.is_dir())
}

fn current_if_empty(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    }
}

/// The first of `folder` and those above it in which other users may replace `child`, or what is on the way to it.
fn find_exposed_ancestor(
    folder: &Path,
    mut child: PathBuf,
    mut is_there: bool,
) -> Option<(PathBuf, Ownership, String)> {
    let folder_owner = fs::metadata(folder).ok()?.uid();
    for above in folder.ancestors() {
        let ownership = Ownership::from_metadata(&fs::metadata(above).ok()?);
        let is_trusted = ownership.is_trusted(folder_owner);
        // In a sticky folder others replace nothing of other owners, but may make what is not there yet.
        let is_own = |child: &Path| {
            let metadata = fs::symlink_metadata(child);
            metadata.is_ok_and(|found| [0, process_uid()].contains(&found.uid()))
        };
        let is_kept = ownership.is_sticky() && is_there && is_own(&child);
        let is_exposed = ownership.is_writable_by_others() && !is_kept;
        if (!is_trusted || is_exposed) && !is_read_only(above) {
            // Everybody needs to write a sticky folder, such as `/tmp`.
            let remedy = if ownership.is_sticky() && is_trusted {
                format!(
                    "make `{}` beforehand as the user of the server, or choose another folder",
                    child.display()
                )
            } else {
                remedy(above, is_trusted, is_exposed.then_some("go-w"))
            };
            return Some((above.to_owned(), ownership, remedy));
        }
        child = above.to_owned();
        is_there = true;
    }
    None
}

/// Returns whether the folder is on a file system that is mounted read-only, as the volumes of a ConfigMap are, whose
/// folder everybody could write otherwise.
fn is_read_only(folder: &Path) -> bool {
    statvfs(folder).is_ok_and(|found| found.flags().contains(FsFlags::ST_RDONLY))
}
