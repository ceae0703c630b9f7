//! What tells about the program itself.

use std::io;
use std::process::Stdio;

use crate::program::TestFolder;

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[track_caller]
fn check(args: &[&str], expected: &str) {
    let printed = TestFolder::new(&[]).run(args, &[]).printed();
    assert_eq!(printed, expected, "{args:?}");
}

#[test]
fn the_version_is_printed_as_go_prints_it() {
    let json = format!("{{\"Version\":\"{VERSION}\"}}\n");
    let yaml = format!("version: {VERSION}\n");
    let short = format!("{VERSION}\n");
    check(&["version"], &json);
    check(&["version", "-o", "json"], &json);
    check(&["version", "--output=yaml"], &yaml);
    check(&["version", "-s"], &short);
    check(&["version", "--short", "-o", "yaml"], &short);
    check(&["-V"], &format!("ack-ram-authenticator {VERSION}\n"));
}

#[test]
fn every_command_explains_itself() {
    let folder = TestFolder::new(&[]);
    for (args, says) in [
        (&[] as &[&str], "Exit codes:"),
        (&["server"], "Examples:"),
        (&["init"], "Examples:"),
        (&["token"], "Examples:"),
        (&["verify"], "Examples:"),
        (&["inspect"], "Exit codes:"),
        (&["inspector"], "Exit codes:"),
        (&["explain"], "Exit codes:"),
        (&["lint"], "Exit codes:"),
        (&["diff"], "Exit codes:"),
        (&["add"], "Exit codes:"),
        (&["add", "user"], "--userarn"),
        (&["add", "role"], "--rolearn"),
        (&["remove"], "Exit codes:"),
        (&["remove", "user"], "--userarn"),
        (&["list"], "Exit codes:"),
        (&["get", "mappings"], "Exit codes:"),
        (&["credential-plugin"], "get-token"),
        (&["credential-plugin", "get-token"], "Examples:"),
        (&["version"], "Usage:"),
        (&["completion"], "Examples:"),
    ] {
        let long = folder.run(&[args, &["--help"]].concat(), &[]).printed();
        assert!(long.contains(says), "{args:?}: {long}");
        let short = folder.run(&[args, &["-h"]].concat(), &[]).printed();
        assert!(short.len() < long.len(), "{args:?}");
        for text in [long, short] {
            assert!(!text.contains('\u{1b}'), "{args:?}: colours in a file");
        }
    }
}

#[test]
fn shells_learn_the_commands() {
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

#[test]
fn a_reader_that_has_read_enough_is_no_failure() {
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
