//! Help and versions.

use super::Transcript;
use crate::program::TestFolder;

const COMMANDS: &[(&str, &[&[&str]])] = &[
    ("program", &[&[]]),
    ("server", &[&["server"]]),
    ("init", &[&["init"]]),
    ("token", &[&["token"]]),
    ("whoami", &[&["whoami"]]),
    ("doctor", &[&["doctor"]]),
    ("verify", &[&["verify"]]),
    ("inspect", &[&["inspect"]]),
    ("inspector", &[&["inspector"]]),
    ("explain", &[&["explain"]]),
    ("lint", &[&["lint"]]),
    ("diff", &[&["diff"]]),
    ("add", &[&["add"], &["add", "user"], &["add", "role"]]),
    (
        "remove",
        &[&["remove"], &["remove", "user"], &["remove", "role"]],
    ),
    ("list", &[&["list"]]),
    ("get", &[&["get"], &["get", "mappings"]]),
    (
        "cache",
        &[&["cache"], &["cache", "list"], &["cache", "clear"]],
    ),
    ("kubeconfig", &[&["kubeconfig"]]),
    (
        "credential_plugin",
        &[&["credential-plugin"], &["credential-plugin", "get-token"]],
    ),
    ("version", &[&["version"]]),
    ("completion", &[&["completion"]]),
    ("man", &[&["man"]]),
];

#[test]
fn each_command_has_expected_help() {
    let folder = TestFolder::new(&[]);
    for (name, commands) in COMMANDS {
        let mut transcript = Transcript::new();
        for command in *commands {
            for option in ["--help", "-h"] {
                transcript.run(&folder, &[*command, &[option]].concat(), &[]);
            }
        }
        transcript.check(&format!("help_{name}"));
    }
}

/// Checks that [`COMMANDS`] is complete.
#[test]
fn every_listed_command_has_pinned_help() {
    let page = TestFolder::new(&[]).run(&["--help"], &[]).printed();
    let (_, commands) = page.split_once("Commands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    let listed = commands.lines().filter_map(|line| {
        let name = line.strip_prefix("  ")?;
        (!name.starts_with(' ')).then(|| name.split(' ').next().unwrap_or_default())
    });
    let pinned = |name: &str| {
        COMMANDS
            .iter()
            .any(|(file, _)| file.replace('_', "-") == name)
    };
    let missing: Vec<&str> = listed
        .filter(|name| *name != "help" && !pinned(name))
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn help_command_prints_help_of_named_command() {
    let folder = TestFolder::new(&[]);
    let mut transcript = Transcript::new();
    for args in [
        &["help", "version"][..],
        &["help", "get", "mappings"],
        &["get", "help", "mappings"],
        &["help", "nothing"],
    ] {
        transcript.run(&folder, args, &[]);
    }
    transcript.check("help_by_name");
}

#[test]
fn version_is_printed_in_every_form() {
    let folder = TestFolder::new(&[]);
    let mut transcript = Transcript::new();
    transcript.replace(env!("CARGO_PKG_VERSION"), "<version>");
    for args in [
        &["version"][..],
        &["version", "-o", "json"],
        &["version", "--output=yaml"],
        &["version", "-s"],
        &["version", "--short", "-o", "yaml"],
        &["-V"],
        &["--version"],
        &["version", "-o", "text"],
    ] {
        transcript.run(&folder, args, &[]);
    }
    transcript.check("version");
}
