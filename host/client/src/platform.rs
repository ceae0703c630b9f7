//! What differs between systems: owners and modes of files, and groups of processes. On systems without them, files are
//! as private as the folder of their user.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;
use std::process::Command;

use crate::files::FileAccess;

/// Opens a file for reading. Does not wait for a pipe.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    imp::without_waiting(&mut options, true);
    options.open(path)
}

/// Opens a file for reading, if it is not a symbolic link.
pub(crate) fn open_without_link(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    imp::without_waiting(&mut options, false);
    options.open(path)
}

/// Opens or creates a lock file that only its owner can read. A symbolic link is not followed.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    imp::private(&mut options);
    options.open(path)
}

pub(crate) use imp::{
    HAS_SHARED_LOCKS, access, copy_owner_and_mode, create_private_folder, end_group,
    has_other_names, is_same_file, lead_group,
};

#[cfg(unix)]
mod imp {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
    use std::os::unix::process::CommandExt as _;

    use nix::fcntl::OFlag;
    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::{Pid, geteuid};

    use super::{Command, DirBuilder, File, FileAccess, Metadata, OpenOptions, Path, io};

    pub(super) fn without_waiting(options: &mut OpenOptions, follow_links: bool) {
        let flags = if follow_links {
            OFlag::O_NONBLOCK
        } else {
            OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW
        };
        options.custom_flags(flags.bits());
    }

    pub(super) fn private(options: &mut OpenOptions) {
        options.mode(0o600).custom_flags(OFlag::O_NOFOLLOW.bits());
    }

    /// Returns owner and mode of a file.
    pub(crate) fn access(metadata: &Metadata) -> Option<FileAccess> {
        Some(FileAccess {
            mode: metadata.mode() & 0o7777,
            is_own: metadata.uid() == geteuid().as_raw(),
        })
    }

    /// Creates a folder that only its owner can read, and the folders above it.
    pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    /// Whether a lock of a file lets other programs read the file, and replace it.
    pub(crate) const HAS_SHARED_LOCKS: bool = true;

    /// Returns whether both are metadata of the same file.
    pub(crate) fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
        (one.dev(), one.ino()) == (other.dev(), other.ino())
    }

    /// Returns whether a file has several names (hard links).
    pub(crate) fn has_other_names(metadata: &Metadata) -> bool {
        metadata.nlink() > 1
    }

    /// Gives a file the owner and mode of another file.
    pub(crate) fn copy_owner_and_mode(file: &File, model: &Metadata) -> io::Result<()> {
        let metadata = file.metadata()?;
        if (metadata.uid(), metadata.gid()) != (model.uid(), model.gid()) {
            std::os::unix::fs::fchown(file, Some(model.uid()), Some(model.gid()))?;
        }
        file.set_permissions(model.permissions())
    }

    /// Makes a process the first of a new group, so that its children can be ended with it.
    pub(crate) fn lead_group(command: &mut Command) {
        command.process_group(0);
    }

    /// Ends all processes of the group that the process `id` leads.
    pub(crate) fn end_group(id: u32) {
        let Ok(id) = i32::try_from(id) else { return };
        // The group may have ended.
        let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
    }
}

#[cfg(not(unix))]
mod imp {
    use super::{Command, DirBuilder, File, FileAccess, Metadata, OpenOptions, Path, io};

    pub(super) fn without_waiting(_: &mut OpenOptions, _: bool) {}

    pub(super) fn private(_: &mut OpenOptions) {}

    /// Returns `None`: the system has no owners and modes.
    pub(crate) fn access(_: &Metadata) -> Option<FileAccess> {
        None
    }

    /// Creates a folder, and the folders above it.
    pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).create(path)
    }

    /// Whether a lock of a file lets other programs read the file, and replace it.
    pub(crate) const HAS_SHARED_LOCKS: bool = false;

    /// Returns whether both are metadata of the same file, as far as the system tells.
    pub(crate) fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
        one.created().ok() == other.created().ok()
    }

    /// Returns `false`: the standard library does not report other names.
    pub(crate) fn has_other_names(_: &Metadata) -> bool {
        false
    }

    /// Does nothing: a new file has the access rules of its folder.
    pub(crate) fn copy_owner_and_mode(_: &File, _: &Metadata) -> io::Result<()> {
        Ok(())
    }

    /// Does nothing: the system has no groups of processes.
    pub(crate) fn lead_group(_: &mut Command) {}

    /// Does nothing: the caller ends the process itself.
    pub(crate) fn end_group(_: u32) {}
}
