//! What differs between systems: owners and modes of files, exchanges of files, groups of processes, and signals. On
//! systems without owners and modes, files are as private as the folder of their user.

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

/// Opens or creates a lock file that only its owner can read. A symbolic link is not followed, and a pipe is not waited
/// for.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    imp::private(&mut options);
    options.open(path)
}

/// Returns a text that is different for each machine, as far as the system tells: the name of the host, and on Linux the
/// ID of its last start, since hosts can have equal names.
pub(crate) fn machine() -> String {
    let start = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    format!("{} {}", imp::host_name(), start.trim_end())
}

#[cfg(feature = "driver")]
pub(crate) use imp::before_end_by_signal;
pub(crate) use imp::{
    DelayedSignals, HAS_SHARED_LOCKS, access, copy_owner_and_mode, create_private_folder,
    end_group, exchange, has_other_names, hold_back_signals, is_same_file, lead_group,
};

#[cfg(unix)]
mod imp {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
    use std::os::unix::process::CommandExt as _;

    use nix::fcntl::OFlag;
    use nix::sys::signal::{SigSet, SigmaskHow, Signal, killpg};
    use nix::unistd::{Pid, geteuid, gethostname};

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
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits());
    }

    pub(super) fn host_name() -> String {
        let name = gethostname().unwrap_or_default();
        name.to_string_lossy().into_owned()
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

    /// Exchanges two files in one step, so that the replaced content is not lost.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::Unsupported`] if the system or the file system has no such operation.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    pub(crate) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
        use nix::errno::Errno;
        use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

        match renameat2(AT_FDCWD, one, AT_FDCWD, other, RenameFlags::RENAME_EXCHANGE) {
            Err(Errno::EINVAL | Errno::ENOSYS) => Err(io::ErrorKind::Unsupported.into()),
            result => Ok(result?),
        }
    }

    /// Returns [`io::ErrorKind::Unsupported`].
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    pub(crate) fn exchange(_: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The signals with which a person or a shell ends a command. SIGQUIT is not held back, so that a person can end a
    /// command that hangs.
    const END_SIGNALS: [Signal; 3] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];

    /// Holds back the signals with which a person or a shell ends a command, until it is dropped.
    #[derive(Debug)]
    pub(crate) struct DelayedSignals(Option<SigSet>);

    impl DelayedSignals {
        /// Holds back the signals for this thread and the threads that it starts.
        pub(crate) fn start() -> Self {
            Self(block_end_signals())
        }
    }

    impl Drop for DelayedSignals {
        fn drop(&mut self) {
            if let Some(before) = self.0 {
                // The only error is an invalid operation.
                let _ = before.thread_set_mask();
            }
        }
    }

    /// Calls `action` when a signal with which a person or a shell ends a command arrives, and then ends this program by
    /// the signal. Holds the result of `action` until the end.
    ///
    /// A thread handles the signals for the rest of the program. Without the thread, a signal ends this program at once.
    #[cfg(feature = "driver")]
    pub(crate) fn before_end_by_signal<T>(action: impl FnOnce() -> T + Send + 'static) {
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new().name("signals".to_owned());
        let thread = thread.spawn(move || {
            hold_back_signals();
            let Ok(mut signals) = signal_hook::iterator::Signals::new(signals_with_effect()) else {
                return;
            };
            let _ = sender.send(());
            let Some(signal) = signals.forever().next() else {
                return;
            };
            let _result = action();
            // The signal is known, so there is no error.
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        });
        if thread.is_ok() {
            // It fails if the thread has ended.
            let _ = receiver.recv();
        }
    }

    /// Returns the numbers of the signals that end this program. A program that `nohup` starts, or a script in the
    /// background, ignores some.
    #[cfg(feature = "driver")]
    fn signals_with_effect() -> impl Iterator<Item = i32> {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        let ignored = ignored.unwrap_or_default();
        let signals = END_SIGNALS.into_iter().chain([Signal::SIGQUIT]);
        let signals = signals.map(|signal| signal as i32);
        signals.filter(move |signal| ignored & (1 << (signal - 1)) == 0)
    }

    /// Makes this thread never receive the signals with which a person or a shell ends a command. Such a signal goes to any
    /// thread that does not hold it back.
    pub(crate) fn hold_back_signals() {
        block_end_signals();
    }

    fn block_end_signals() -> Option<SigSet> {
        let mut signals = SigSet::empty();
        for signal in END_SIGNALS {
            signals.add(signal);
        }
        signals.thread_swap_mask(SigmaskHow::SIG_BLOCK).ok()
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

    pub(super) fn host_name() -> String {
        std::env::var("COMPUTERNAME").unwrap_or_default()
    }

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

    /// Returns [`io::ErrorKind::Unsupported`].
    pub(crate) fn exchange(_: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Does nothing: the system has no such signals.
    #[derive(Debug)]
    pub(crate) struct DelayedSignals;

    impl DelayedSignals {
        /// Does nothing.
        pub(crate) fn start() -> Self {
            Self
        }
    }

    /// Does nothing: the system has no such signals.
    pub(crate) fn hold_back_signals() {}

    /// Does nothing: the system has no such signals.
    #[cfg(feature = "driver")]
    pub(crate) fn before_end_by_signal<T>(_: impl FnOnce() -> T + Send + 'static) {}

    /// Does nothing: the system has no groups of processes.
    pub(crate) fn lead_group(_: &mut Command) {}

    /// Does nothing: the caller ends the process itself.
    pub(crate) fn end_group(_: u32) {}
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;

    use nix::sys::signal::{SigSet, Signal};

    use super::*;

    #[test]
    fn signals_are_held_back_until_the_end() {
        let held = || {
            let mask = SigSet::thread_get_mask().unwrap();
            [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].map(|signal| mask.contains(signal))
        };
        assert_eq!(held(), [false; 3]);
        let delayed = DelayedSignals::start();
        assert_eq!(held(), [true; 3]);
        drop(delayed);
        assert_eq!(held(), [false; 3]);
    }

    #[test]
    fn machine_has_a_name() {
        assert!(machine().len() > 1);
        assert_eq!(machine(), machine());
    }

    #[test]
    fn exchanged_files_keep_both_contents() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (folder.path().join("one"), folder.path().join("other"));
        fs::write(&one, "1").unwrap();
        fs::write(&other, "2").unwrap();
        match exchange(&one, &other) {
            Ok(()) => assert_eq!(fs::read(&one).unwrap(), b"2"),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::Unsupported),
        }
        let missing = exchange(&one, &folder.path().join("missing")).unwrap_err();
        assert!(matches!(
            missing.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::Unsupported
        ));
    }
}
