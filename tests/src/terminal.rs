//! A pseudo terminal on which a program under test prints.

use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::Stdio;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};

/// A pseudo terminal. Nobody types in it.
#[derive(Debug)]
pub struct Terminal {
    master: PtyMaster,
    path: String,
}

impl Terminal {
    /// Opens a terminal.
    ///
    /// # Errors
    /// If the system has no free terminal.
    pub fn open() -> io::Result<Self> {
        // Other tests start programs at the same time, which must not keep the terminal open.
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let path = ptsname_r(&master)?;
        Ok(Self { master, path })
    }

    /// Returns a standard stream for a child process.
    ///
    /// # Errors
    /// If the terminal cannot be opened.
    pub fn stream(&self) -> io::Result<Stdio> {
        let mut options = OpenOptions::new();
        let options = options.read(true).write(true);
        // The terminal must not become the controlling terminal of this process.
        let options = options.custom_flags(OFlag::O_NOCTTY.bits());
        Ok(Stdio::from(options.open(&self.path)?))
    }

    /// Returns what was printed, as soon as no process has a stream of the terminal any more. There must have been one.
    ///
    /// # Errors
    /// If the terminal cannot be read, or shows no text.
    pub fn output(mut self) -> io::Result<String> {
        let mut bytes = Vec::new();
        match self.master.read_to_end(&mut bytes) {
            // Linux reports the end of a terminal as an error.
            Err(error) if error.raw_os_error() != Some(Errno::EIO as i32) => return Err(error),
            _ => {}
        }
        String::from_utf8(bytes).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn child_prints_on_a_terminal_only_where_it_has_one() {
        let terminal = Terminal::open().unwrap();
        let script =
            "for fd in 1 2; do test -t $fd && echo terminal >&$fd || echo pipe >&$fd; done";
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null());
        command.stderr(terminal.stream().unwrap());
        let output = command.output().unwrap();
        drop(command);
        assert_eq!(output.stdout, b"pipe\n");
        assert_eq!(terminal.output().unwrap(), "terminal\r\n");
    }
}
