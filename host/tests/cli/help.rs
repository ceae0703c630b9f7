//! Help, versions and completion scripts.

use std::io;
use std::process::Stdio;

use crate::program::TestFolder;

#[test]
fn closed_output_pipe_is_not_an_error() {
    for args in [&["completion", "bash"][..], &["version"], &["--help"]] {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let folder = TestFolder::new(&[]);
        let mut command = folder.command(args, &[]);
        let output = command
            .stdin(Stdio::null())
            .stdout(writer)
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        assert_eq!(output.stderr, b"", "{args:?}");
    }
}

/// The scripts repeat the help texts, which the snapshots pin, in a format of the library that writes the scripts.
#[test]
fn completion_scripts_name_commands_and_options() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = TestFolder::new(&[])
            .run(&["completion", shell], &[])
            .printed();
        for expected in [
            "ack-ram-authenticator",
            "get-token",
            "backend-mode",
            "rolearn",
            "dry-run",
        ] {
            assert!(script.contains(expected), "{shell}: no {expected}");
        }
    }
}
