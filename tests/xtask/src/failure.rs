//! Why a check did not pass.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// By blame: what was checked, what the machine lacks, this program's surroundings, the user.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A command said no.
    #[error("{what}: {status}; its output is in `{}`", .log.display())]
    Command {
        what: String,
        status: ExitStatus,
        log: PathBuf,
    },
    /// A command did not end.
    #[error("{what}: not done within {} s; its output is in `{}`", .limit.as_secs(), .log.display())]
    TimedOut {
        what: String,
        limit: Duration,
        log: PathBuf,
    },
    /// What was checked is not as it should be.
    #[error("{0}")]
    Check(String),
    /// Something is needed that this program cannot get.
    #[error("{what} is missing: {remedy}")]
    Missing { what: &'static str, remedy: String },
    /// A file or a program could not be used.
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    /// Somebody asked this program to end.
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    /// For `map_err`: `what` could not be done.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |source| Self::Io { what, source }
    }
}
