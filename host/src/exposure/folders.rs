//! Detection of folders in which other users can replace a file.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};

use crate::exposure::remedy;
use crate::files;
use crate::files::ownership::{Ownership, process_uid};

/// Returns the folder that lets other users replace the file at `path`, and a message about it.
pub(super) fn folder_exposure(path: &Path) -> Option<(PathBuf, String)> {
    // If `path` is a link, the folders of its target count, too.
    let target = fs::canonicalize(path).ok();
    let named = nearest_existing(files::parent_folder(path)).map(|(folder, exists)| {
        let child = folder.join(path.file_name().unwrap_or_default());
        (folder, child, exists && target.is_some())
    });
    let linked = target
        .as_ref()
        .and_then(|target| Some((target.parent()?.to_owned(), target.clone(), true)));
    let exposed = [named, linked]
        .into_iter()
        .flatten()
        .find_map(|(folder, child, exists)| find_exposed_ancestor(&folder, child, exists));
    let (ancestor, ownership, remedy) = exposed?;
    let text = format!(
        "the folder `{}` {ownership}, so other users may replace `{}`; {remedy}",
        ancestor.display(),
        path.display()
    );
    Some((ancestor, text))
}

/// Returns `folder` or its nearest ancestor that exists, and whether it is `folder` itself.
fn nearest_existing(folder: &Path) -> Option<(PathBuf, bool)> {
    let found = folder.ancestors().find_map(|ancestor| {
        Some((
            fs::canonicalize(current_if_empty(ancestor)).ok()?,
            ancestor == folder,
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

/// Returns the first of `folder` and its ancestors in which other users can replace `child` or a folder that leads to
/// it.
fn find_exposed_ancestor(
    folder: &Path,
    mut child: PathBuf,
    mut exists: bool,
) -> Option<(PathBuf, Ownership, String)> {
    let folder_owner = fs::metadata(folder).ok()?.uid();
    for ancestor in folder.ancestors() {
        let ownership = Ownership::from_metadata(&fs::metadata(ancestor).ok()?);
        let is_trusted = ownership.is_trusted(folder_owner);
        // In a sticky folder, users cannot replace files of other owners, but can create files that do not exist yet.
        let is_own = |child: &Path| {
            let metadata = fs::symlink_metadata(child);
            metadata.is_ok_and(|found| [0, process_uid()].contains(&found.uid()))
        };
        let is_kept = ownership.is_sticky() && exists && is_own(&child);
        let is_exposed = ownership.is_writable_by_others() && !is_kept;
        if (!is_trusted || is_exposed) && !is_read_only(ancestor) {
            // A sticky folder, such as `/tmp`, must stay writable for every user.
            let remedy = if ownership.is_sticky() && is_trusted {
                format!(
                    "create `{}` as the user of the server beforehand, or use another folder",
                    child.display()
                )
            } else {
                remedy(ancestor, is_trusted, is_exposed.then_some("go-w"))
            };
            return Some((ancestor.to_owned(), ownership, remedy));
        }
        child = ancestor.to_owned();
        exists = true;
    }
    None
}

/// Returns whether the folder is on a file system that is mounted read-only. The folder of a ConfigMap volume has a
/// mode that lets every user write, but is mounted read-only.
fn is_read_only(folder: &Path) -> bool {
    statvfs(folder).is_ok_and(|found| found.flags().contains(FsFlags::ST_RDONLY))
}
