//! The client with marked secrets in every source of a key, at every level of its log, with success and with failures.

mod home;
mod services;
mod sources;

use crate::client::home::Home;
use crate::client::services::{Reaction, Services};
use crate::client::sources::{MARKS, TOKEN_MARKS, all_sources};
use crate::secrets::Secrets;

/// A command of the client.
struct Command {
    words: &'static [&'static str],
    /// Whether the command prints a token, which holds the ID of the key and the security token.
    prints_token: bool,
    /// Whether the command runs for each reaction of the services.
    calls: bool,
}

impl Command {
    /// Returns the words, with a time limit that no command needs on an idle machine.
    fn with_timeout(&self) -> Vec<&'static str> {
        let has_limit = !["cache", "kubeconfig"].contains(&self.words[0]);
        let limit: &[_] = if has_limit {
            &["--timeout", "100s"]
        } else {
            &[]
        };
        [self.words, limit].concat()
    }
}

const COMMANDS: [Command; 8] = [
    Command {
        words: &["token", "-i", "c1"],
        prints_token: true,
        calls: true,
    },
    Command {
        words: &["token", "-i", "c1", "--no-cache", "--token-only"],
        prints_token: true,
        calls: true,
    },
    Command {
        words: &[
            "credential-plugin",
            "get-token",
            "-c",
            "c1",
            "--log-level",
            "debug",
        ],
        prints_token: true,
        calls: true,
    },
    Command {
        words: &["whoami"],
        prints_token: false,
        calls: true,
    },
    Command {
        words: &["doctor"],
        prints_token: false,
        calls: true,
    },
    Command {
        words: &["doctor", "-o", "json"],
        prints_token: false,
        calls: false,
    },
    Command {
        words: &["cache", "list"],
        prints_token: false,
        calls: false,
    },
    Command {
        words: &[
            "kubeconfig",
            "--write",
            "--dry-run",
            "--context",
            "here",
            "--cluster-id",
            "c1",
        ],
        prints_token: false,
        calls: false,
    },
];

/// The levels of the log: the default, and everything.
const LEVELS: [Option<&str>; 2] = [None, Some("trace")];

#[test]
fn client_shows_no_secret_of_any_source() {
    let services = Services::start();
    let all = Secrets::new(&MARKS).search();
    let mut but_token = MARKS.to_vec();
    but_token.retain(|mark| !TOKEN_MARKS.contains(mark));
    let but_token = Secrets::new(&but_token).search();
    for source in all_sources() {
        for reaction in Reaction::ALL {
            services.set(reaction);
            let home = Home::create(&source, &services, reaction);
            let is_working = reaction == Reaction::Works;
            for command in &COMMANDS {
                if !command.calls && !is_working {
                    continue;
                }
                let levels = if is_working {
                    &LEVELS[..]
                } else {
                    &LEVELS[1..]
                };
                for level in levels {
                    let output = home.run(&command.with_timeout(), *level);
                    let case = format!("{}, {reaction:?}: {:?}", source.name, command.words);
                    assert_eq!(all.find(&output.stderr), None, "{case}");
                    let stdout = if command.prints_token {
                        &but_token
                    } else {
                        &all
                    };
                    assert_eq!(stdout.find(&output.stdout), None, "{case}");
                    // A case that does not reach its service would prove nothing.
                    let must_succeed = is_working && command.words[0] != "doctor";
                    let stderr = String::from_utf8_lossy(&output.stderr);
                    assert!(output.status.success() || !must_succeed, "{case}: {stderr}");
                }
            }
            let arguments = home.process_arguments();
            assert_eq!(
                arguments.is_empty(),
                !source.runs_process(),
                "{}",
                source.name
            );
            for text in arguments {
                assert_eq!(all.find(text.as_bytes()), None, "{}", source.name);
            }
            for name in home.file_names() {
                assert_eq!(all.find(name.as_bytes()), None, "{}", source.name);
            }
        }
    }
}
