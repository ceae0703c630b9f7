//! The reasons why a task fails.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// The reason why a task failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A command exited with an error.
    #[error("{what} failed: {status}; see its output in `{}`", .log.display())]
    Command {
        what: String,
        status: ExitStatus,
        log: PathBuf,
    },
    /// A command did not exit in time.
    #[error("{what} timed out after {} s; see its output in `{}`", .limit.as_secs(), .log.display())]
    TimedOut {
        what: String,
        limit: Duration,
        log: PathBuf,
    },
    /// A check found a problem.
    #[error("{0}")]
    Check(String),
    /// A requirement is missing that this program cannot install.
    #[error("{what} is missing: {remedy}")]
    Missing { what: &'static str, remedy: String },
    /// Access to a file or a program failed.
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    /// This program received a signal to exit.
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    /// Returns a function for `map_err` that adds `what`, the file or the operation that failed.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |source| Self::Io { what, source }
    }
}
