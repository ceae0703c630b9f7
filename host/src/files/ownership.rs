//! Owners and modes of files, and whether other users may read or write them.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use nix::unistd::geteuid;

const WRITE: u32 = 0o022;
const READ: u32 = 0o044;
const STICKY: u32 = 0o1000;

/// The owner and mode of a file or folder. `Display` shows both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ownership {
    pub(crate) owner: u32,
    pub(crate) mode: u32,
}

impl Ownership {
    pub(crate) fn from_metadata(metadata: &Metadata) -> Self {
        Self {
            owner: metadata.uid(),
            mode: metadata.permissions().mode() & 0o7777,
        }
    }

    /// Returns whether this process trusts the owner of a file in a folder of `folder_owner`.
    pub(crate) fn is_trusted(self, folder_owner: u32) -> bool {
        self.is_trusted_by(geteuid().as_raw(), folder_owner)
    }

    /// Returns whether a process of the user `process` trusts the owner.
    ///
    /// A process trusts its own user and root. Root also trusts the owner of the folder, who could replace the file
    /// anyway: a service may run as root without capabilities in a folder that an earlier version used as another user.
    fn is_trusted_by(self, process: u32, folder_owner: u32) -> bool {
        self.owner == process || self.owner == 0 || (process == 0 && self.owner == folder_owner)
    }

    /// Returns whether group and others have no permissions.
    pub(crate) fn is_private(self) -> bool {
        self.mode & 0o077 == 0
    }

    /// Returns whether group or others may read or write.
    pub(crate) fn is_open_to_others(self) -> bool {
        self.mode & (READ | WRITE) != 0
    }

    /// Returns whether group or others may write.
    pub(crate) fn is_writable_by_others(self) -> bool {
        self.mode & WRITE != 0
    }

    /// Returns whether a folder is sticky. Other users with write access to a sticky folder can create files, but not
    /// replace existing ones.
    pub(crate) fn is_sticky(self) -> bool {
        self.mode & STICKY != 0
    }
}

impl fmt::Display for Ownership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "belongs to uid {} and has mode {:04o}",
            self.owner, self.mode
        )
    }
}

/// Returns the effective user ID of this process.
pub(crate) fn process_uid() -> u32 {
    geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trusted_owners_are_process_root_and_for_root_folder_owner() {
        for (owner, process, folder_owner, expected) in [
            (1000, 1000, 1000, true),
            (1000, 1000, 0, true),
            (0, 1000, 1000, true),
            (0, 0, 1000, true),
            // The init container of the Go version runs `chown -R 65534:65534`.
            (65534, 0, 65534, true),
            (1001, 0, 65534, false),
            (1001, 0, 0, false),
            // Only root trusts the owner of the folder.
            (1001, 1000, 1001, false),
        ] {
            let ownership = Ownership { owner, mode: 0o600 };
            assert_eq!(
                ownership.is_trusted_by(process, folder_owner),
                expected,
                "owner {owner}, process {process}, folder {folder_owner}"
            );
        }
    }

    #[test]
    fn mode_bits_are_tested_separately() {
        for (mode, is_private, is_open, is_writable) in [
            (0o600, true, false, false),
            (0o400, true, false, false),
            (0o700, true, false, false),
            (0o610, false, false, false),
            (0o640, false, true, false),
            (0o604, false, true, false),
            (0o620, false, true, true),
            (0o602, false, true, true),
            (0o666, false, true, true),
        ] {
            let ownership = Ownership { owner: 0, mode };
            let found = (
                ownership.is_private(),
                ownership.is_open_to_others(),
                ownership.is_writable_by_others(),
            );
            assert_eq!(found, (is_private, is_open, is_writable), "{mode:o}");
        }
    }
}
