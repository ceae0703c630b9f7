//! How a command fails.

use std::process::ExitCode;

use ack_ram_core::protocol::FAMILY_PREFIX;
use clap::error::ErrorKind;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(super) enum CommandFailure {
    /// The command line cannot be read, or asks for help.
    CommandLine(clap::Error),
    /// An argument is missing, or is none that the command can use: what, and what to give.
    Usage(String),
    /// What the command needs is not as it must be: what, where and what to do.
    Failed(String),
    /// The same, for a command whose exit code 1 is an answer: exits with 2.
    FailedWithAnswer(String),
    /// Nothing failed, and the answer is no.
    Negative,
}

impl<E: std::error::Error> From<E> for CommandFailure {
    fn from(error: E) -> Self {
        Self::Failed(error.to_string())
    }
}

impl CommandFailure {
    /// The same failure, of a command whose exit code 1 is an answer.
    pub(super) fn into_failed_with_answer(self) -> Self {
        match self {
            Self::Failed(text) => Self::FailedWithAnswer(text),
            other @ (Self::CommandLine(_)
            | Self::Usage(_)
            | Self::FailedWithAnswer(_)
            | Self::Negative) => other,
        }
    }

    /// Tells the person, who asked for `command`, and gives the exit code: 0 for help, 1 for failures and for a no, 2
    /// for wrong usage and for trouble.
    pub(super) fn report(self, mut command: clap::Command) -> ExitCode {
        let (error, code) = match self {
            Self::Negative => return ExitCode::from(1),
            Self::CommandLine(error) => {
                let code = u8::try_from(error.exit_code()).unwrap_or(2);
                (error, code)
            }
            Self::Usage(text) => (command.error(ErrorKind::ValueValidation, text), 2),
            Self::Failed(text) => (one_line(&text, &command), 1),
            Self::FailedWithAnswer(text) => (one_line(&text, &command), 2),
        };
        // With standard error gone, there is nowhere left to say so.
        let _ = without_token(error, &command).print();
        ExitCode::from(code)
    }
}

/// clap writes `error:` in the right colour, or in none.
fn one_line(text: &str, command: &clap::Command) -> clap::Error {
    let line = format!("{}\n", text.replace('\n', " "));
    clap::Error::raw(ErrorKind::Io, line).with_cmd(command)
}

/// What cannot be used is quoted, and a token must not be shown.
fn without_token(error: clap::Error, command: &clap::Command) -> clap::Error {
    let text = error.to_string();
    // Help quotes nothing, failures quote names of files.
    let is_wrong_usage = error.use_stderr() && error.kind() != ErrorKind::Io;
    if holds_token(&text) || (is_wrong_usage && may_hold_secret(&text)) {
        let line = "a token, or what may be one, stands where none is taken; see `verify --help`\n";
        clap::Error::raw(error.kind(), line).with_cmd(command)
    } else {
        error
    }
}

/// A prefix alone is no token: messages name it.
fn holds_token(text: &str) -> bool {
    text.split(FAMILY_PREFIX).skip(1).any(|rest| {
        let payload = rest.split_once('.').map_or("", |(_, payload)| payload);
        let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
        payload.bytes().take_while(is_base64).count() > 0
    })
}

/// Whether something is quoted that was pasted: a token of others, or JSON with whatever is in it.
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
    fn token_prefix_alone_is_not_a_token() {
        for (text, expected) in [
            ("tokens start `k8s-ack-v2.`", false),
            ("`k8s-ack-v2.eyJjbHVz` is no address", true),
            ("k8s-ack-v1.aHR0cHM6Ly9=", true),
            ("first k8s-ack-v2. then k8s-ack-v2.eyJjbHVzdGVy", true),
            ("", false),
        ] {
            assert_eq!(holds_token(text), expected, "{text}");
        }
    }
}
