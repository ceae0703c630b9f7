//! How a command fails.

use std::process::ExitCode;

use ack_ram_core::token::FAMILY_PREFIX;
use clap::error::ErrorKind;

use crate::cli::args;

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub(super) enum Failure {
    /// The command line is wrong, or asks for help.
    Usage(clap::Error),
    /// What the command needs is not as it must be: what, where and what to do.
    Failed(String),
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.to_string())
    }
}

impl Failure {
    /// Tells the person, and gives the exit code: 0 for help, 1 for failures, 2 for wrong usage.
    pub(super) fn report(self) -> ExitCode {
        let (error, code) = match self {
            Self::Usage(error) => {
                let code = u8::try_from(error.exit_code()).unwrap_or(2);
                (without_token(error), code)
            }
            Self::Failed(text) => {
                // clap writes `error:` in the right colour, or in none.
                let line = format!("{}\n", text.replace('\n', " "));
                (
                    clap::Error::raw(ErrorKind::Io, line).with_cmd(&args::command()),
                    1,
                )
            }
        };
        // With standard error gone, there is nowhere left to say so.
        let _ = error.print();
        ExitCode::from(code)
    }
}

/// clap quotes what it cannot use, and a token must not be shown.
fn without_token(error: clap::Error) -> clap::Error {
    if error.to_string().contains(FAMILY_PREFIX) {
        let line = "a token stands where none is taken; see `verify --help`\n";
        clap::Error::raw(error.kind(), line).with_cmd(&args::command())
    } else {
        error
    }
}
