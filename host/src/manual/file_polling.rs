//! Why the server polls files.
//!
//! The configuration file, the DynamicFile and certificates change while the server runs. An operating system can
//! notify a program about changes of files, but each kind of change needs another watch:
//!
//! - An editor may write the file in place, or write a new file and rename it.
//! - The kubelet replaces a symbolic link to a folder, two steps away from the file that the server opened.
//! - On a network file system, no notification arrives for changes on another machine.
//!
//! A missed notification means that a deleted mapping stays in effect. A poll detects every kind of change: it
//! compares the metadata of the file twice a second, or once a second for certificates.
//!
//! # When a change counts
//!
//! A poll may see a file that is half written. Half of a list of mappings may be valid YAML, and would remove the
//! other half. So a state counts only after it has *settled*: two polls in a row observe the same metadata
//! ([`LastObserved`]). After reading, [`WatchedFile`] compares the metadata again. If the file changed in the
//! meantime, the next poll decides.
//!
//! The metadata are the device, inode, size and both times of the file. A change within the resolution of the clock
//! that keeps the size is possible, but a program that replaces the file changes the inode.
//!
//! # Missing files
//!
//! To replace a file, some programs delete it first. A missing file therefore counts as deleted only after five
//! seconds ([`BadSpell`]). Then the mappings of a DynamicFile end: an administrator may delete the file to remove
//! them. A file that exists but cannot be read is different. It says nothing about its content, so the mappings in
//! effect stay; see [`last_good`](super::last_good).
//!
//! # No blocking
//!
//! A file system may hang. Polls run on threads for blocking work ([`poll_until_stopped`]), so a poll that hangs
//! delays the next poll and nothing else. Files are opened in a way that never waits for a writer of a pipe.
//!
//! [`BadSpell`]: crate::polling::BadSpell
//! [`LastObserved`]: crate::polling::LastObserved
//! [`WatchedFile`]: crate::polling::WatchedFile
//! [`poll_until_stopped`]: crate::polling::poll_until_stopped
