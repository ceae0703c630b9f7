//! Help, versions, completion scripts and manual pages.

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

#[test]
fn manual_pages_are_written_for_all_commands_and_printed_for_one() {
    let folder = TestFolder::new(&[]);
    folder.run(&["man", "--dir", "share/man1"], &[]).printed();
    for (page, command) in [
        ("ack-ram-authenticator", &[][..]),
        ("ack-ram-authenticator-token", &["token"]),
        (
            "ack-ram-authenticator-credential-plugin-get-token",
            &["credential-plugin", "get-token"],
        ),
    ] {
        let written = folder.read_file(&format!("share/man1/{page}.1"));
        assert!(written.contains(&format!(".TH {page} 1")), "{written}");
        let printed = folder.run(&[&["man"], command].concat(), &[]).printed();
        assert_eq!(printed, written, "{page}");
    }
}
