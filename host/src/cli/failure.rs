//! Failures of commands, and the exit codes for them.

use std::process::ExitCode;

use ack_ram_client::error::ClientError;
use ack_ram_core::protocol::FAMILY_PREFIX;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::output::escaped;

/// Why a command does not exit with 0.
#[derive(Debug)]
pub(super) enum CommandFailure {
    /// clap could not parse the command line, or the command line asks for help.
    CommandLine(clap::Error),
    /// An argument is missing or not valid. The text says which, and what to use instead. Exits with 2.
    Usage(String),
    /// The command failed. The text says what failed, where, and what to do. Exits with 1.
    Failed(String),
    /// There is no token or access key. The first text says what failed and where, the second what to do. Exits with 1.
    NoLogin {
        /// What failed, and where.
        cause: String,
        /// What to do.
        remedy: String,
    },
    /// The command line lacks what a login needs. The texts are those of [`Self::NoLogin`]. Exits with 2.
    IncompleteCommandLine {
        /// What is missing.
        cause: String,
        /// What to do.
        remedy: String,
    },
    /// A command whose exit code 1 is an answer failed. Exits with 2.
    FailedWithAnswer(String),
    /// The command succeeded, and the answer is no. Exits with 1.
    Negative,
}

impl<E: std::error::Error> From<E> for CommandFailure {
    fn from(error: E) -> Self {
        Self::Failed(error.to_string())
    }
}

impl CommandFailure {
    /// Converts an error of the client.
    pub(super) fn from_client(error: ClientError) -> Self {
        if let ClientError::Setup(setup) = &error
            && setup.is_wrong_usage()
        {
            return Self::Usage(error.to_string());
        }
        Self::NoLogin {
            cause: error.cause(),
            remedy: error.remedy(),
        }
    }

    /// Returns what failed, and what to do.
    pub(super) fn into_cause_and_remedy(self) -> (String, String) {
        let text = match self {
            Self::NoLogin { cause, remedy } | Self::IncompleteCommandLine { cause, remedy } => {
                return (cause, remedy);
            }
            Self::CommandLine(error) => error.to_string(),
            Self::Usage(text) | Self::Failed(text) | Self::FailedWithAnswer(text) => text,
            Self::Negative => "the answer is no".to_owned(),
        };
        match text.split_once("; ") {
            Some((cause, remedy)) => (cause.to_owned(), remedy.to_owned()),
            None => (text, "see the `--help` of the command".to_owned()),
        }
    }

    /// Converts to the failure of a command whose exit code 1 is an answer.
    pub(super) fn into_failed_with_answer(self) -> Self {
        match self {
            Self::Failed(text) => Self::FailedWithAnswer(text),
            Self::NoLogin { cause, remedy } => Self::FailedWithAnswer(format!("{cause}; {remedy}")),
            other @ (Self::CommandLine(_)
            | Self::Usage(_)
            | Self::IncompleteCommandLine { .. }
            | Self::FailedWithAnswer(_)
            | Self::Negative) => other,
        }
    }

    /// Prints the failure of `command` and returns the exit code: 0 for help, 1 for failures and negative answers, 2
    /// for a wrong command line and for failures of a command whose exit code 1 is an answer.
    pub(super) fn report(self, mut command: clap::Command) -> ExitCode {
        let (error, code) = match self {
            Self::Negative => return ExitCode::from(1),
            Self::CommandLine(error) => match absent_command(&error) {
                Some(text) => (one_line(&text, &command), 2),
                None => {
                    let code = u8::try_from(error.exit_code()).unwrap_or(2);
                    (error, code)
                }
            },
            Self::Usage(text) => {
                let lines: Vec<String> = text.lines().map(escaped).collect();
                let text = lines.join("\n");
                (command.error(ErrorKind::ValueValidation, text), 2)
            }
            Self::Failed(text) => (one_line(&text, &command), 1),
            Self::NoLogin { cause, remedy } => (two_lines(&cause, &remedy, &command), 1),
            Self::IncompleteCommandLine { cause, remedy } => {
                (two_lines(&cause, &remedy, &command), 2)
            }
            Self::FailedWithAnswer(text) => (one_line(&text, &command), 2),
        };
        // If standard error is closed, there is no other way to report this.
        let _ = without_token(error, &command).print();
        ExitCode::from(code)
    }
}

/// Returns an error whose text is one line. clap puts `error:` before it, in color on a terminal.
fn one_line(text: &str, command: &clap::Command) -> clap::Error {
    let line = format!("{}\n", escaped(&text.replace('\n', " ")));
    clap::Error::raw(ErrorKind::Io, line).with_cmd(command)
}

/// Returns an error with a line for the cause, and a line for the remedy.
fn two_lines(cause: &str, remedy: &str, command: &clap::Command) -> clap::Error {
    let [cause, remedy] = [cause, remedy].map(escaped);
    let lines = format!("{cause}\n  help: {remedy}\n");
    clap::Error::raw(ErrorKind::Io, lines).with_cmd(command)
}

/// Returns a line about a command of ack-ram-tool that this program does not have.
fn absent_command(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    let remedy = match name.as_str() {
        "get-credential" => {
            "log in with a token instead: `ack-ram-authenticator kubeconfig --convert --user NAME` converts the user"
        }
        "get-kubeconfig" => {
            "get the kubeconfig from the console or from ack-ram-tool, then run `ack-ram-authenticator kubeconfig`"
        }
        "export-credentials" | "rbac" | "rrsa" => "use ack-ram-tool for it",
        _ => return None,
    };
    Some(format!(
        "this program has no `{name}` of ack-ram-tool, which needs other services of Alibaba Cloud than STS; {remedy}"
    ))
}

/// Replaces the text of an error that may quote a token from the command line.
fn without_token(error: clap::Error, command: &clap::Command) -> clap::Error {
    let text = error.to_string();
    // Help quotes no input, and failures quote only file names.
    let is_wrong_usage = error.use_stderr() && error.kind() != ErrorKind::Io;
    if holds_token(&text) || (is_wrong_usage && may_hold_secret(&text)) {
        let line = "a token is not allowed here; see the `--help` of the command\n";
        clap::Error::raw(error.kind(), line).with_cmd(command)
    } else {
        error
    }
}

/// Returns whether `text` contains a token. The prefix alone is not a token, since messages name it.
fn holds_token(text: &str) -> bool {
    text.split(FAMILY_PREFIX).skip(1).any(|rest| {
        let payload = rest.split_once('.').map_or("", |(_, payload)| payload);
        let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
        payload.bytes().take_while(is_base64).count() > 0
    })
}

/// Returns whether `text` may quote pasted secrets: JSON, or a token of another type.
fn may_hold_secret(text: &str) -> bool {
    const LONGEST_WORD: usize = 100;
    text.contains('{')
        || text
            .split_whitespace()
            .any(|word| word.len() > LONGEST_WORD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_no_control_characters_of_their_input() {
        let command = clap::Command::new("program");
        for error in [
            one_line("a\u{1b}[31m\nb", &command),
            two_lines("a\u{1b}[31m\nb", "c\u{1b}[31m\nd", &command),
        ] {
            let text = error.render().ansi().to_string();
            assert!(
                !text.contains("\u{1b}[31m\n") && !text.contains("a\u{1b}"),
                "{text:?}"
            );
            assert!(text.contains(r"a\u{1b}[31m"), "{text:?}");
            assert!(!text.contains("\nb") && !text.contains("\nd"), "{text:?}");
        }
    }

    #[test]
    fn token_prefix_alone_is_not_a_token() {
        for (text, expected) in [
            ("tokens start `k8s-ack-v2.`", false),
            ("`k8s-ack-v2.eyJjbHVz` is not an address", true),
            ("k8s-ack-v1.aHR0cHM6Ly9=", true),
            ("first k8s-ack-v2. then k8s-ack-v2.eyJjbHVzdGVy", true),
            ("", false),
        ] {
            assert_eq!(holds_token(text), expected, "{text}");
        }
    }
}
