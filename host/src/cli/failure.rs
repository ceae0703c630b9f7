//! How a command fails.

use std::process::ExitCode;

use clap::error::ErrorKind;

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
                let code = error.exit_code();
                (error, u8::try_from(code).unwrap_or(2))
            }
            Self::Failed(text) => {
                // clap writes `error:` in the right colour, or in none.
                let line = format!("{}\n", text.replace('\n', " "));
                (clap::Error::raw(ErrorKind::Io, line), 1)
            }
        };
        // With standard error gone, there is nowhere left to say so.
        let _ = error.print();
        ExitCode::from(code)
    }
}
