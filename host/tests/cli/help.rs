//! What tells about the program itself.

use std::io;
use std::process::Stdio;

use crate::program::TestFolder;

#[test]
fn closed_output_pipe_is_no_failure() {
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

/// The scripts repeat the help texts, which the snapshots pin, in the words of the library that writes them.
#[test]
fn completion_scripts_name_commands_and_options() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = TestFolder::new(&[])
            .run(&["completion", shell], &[])
            .printed();
        for word in [
            "ack-ram-authenticator",
            "get-token",
            "backend-mode",
            "rolearn",
            "dry-run",
        ] {
            assert!(script.contains(word), "{shell}: no {word}");
        }
    }
}
