//! Scripts that programs under test run.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a script that only its owner can read and run.
///
/// Other tests start programs at the same time. Between fork and exec, such a program holds each file that this process
/// has open, and the system runs no file that is open for writing (`ETXTBSY`). So another process writes the script.
///
/// # Errors
/// If the script cannot be written.
pub fn write_script(path: &Path, text: &str) -> io::Result<()> {
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077 && cat >\"$0\" && chmod 700 \"$0\""]);
    let mut writer = command.arg(path).stdin(Stdio::piped()).spawn()?;
    if let Some(mut input) = writer.stdin.take() {
        input.write_all(text.as_bytes())?;
    }
    match writer.wait()? {
        status if status.success() => Ok(()),
        status => Err(io::Error::other(format!("{}: {status}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn script_is_private_and_runs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("with space.sh");
        for word in ["first", "second"] {
            write_script(&path, &format!("#!/bin/sh\necho {word}\n")).unwrap();
            let mode = path.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
            let output = Command::new(&path).output().unwrap();
            assert_eq!(output.stdout, format!("{word}\n").as_bytes());
        }
        assert!(write_script(&folder.path().join("no/folder"), "").is_err());
    }
}
