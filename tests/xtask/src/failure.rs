//! Why a check did not pass.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;
use std::{fmt, io};

/// By blame: what was checked, what the machine lacks, this program's surroundings, the user.
#[derive(Debug)]
pub enum Failure {
    /// A command said no.
    Command {
        what: String,
        status: ExitStatus,
        log: PathBuf,
    },
    /// A command did not end.
    TimedOut {
        what: String,
        limit: Duration,
        log: PathBuf,
    },
    /// What was checked is not as it should be.
    Check(String),
    /// Something is needed that this program cannot get.
    Missing { what: &'static str, remedy: String },
    /// A file or a program could not be used.
    Io { what: String, source: io::Error },
    /// Somebody asked this program to end.
    Interrupted,
}

impl Failure {
    /// For `map_err`: `what` could not be done.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |source| Self::Io { what, source }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command { what, status, log } => {
                write!(f, "{what}: {status}; its output is in `{}`", log.display())
            }
            Self::TimedOut { what, limit, log } => {
                let (limit, log) = (limit.as_secs(), log.display());
                write!(
                    f,
                    "{what}: not done within {limit} s; its output is in `{log}`"
                )
            }
            Self::Check(what) => f.write_str(what),
            Self::Missing { what, remedy } => write!(f, "{what} is missing: {remedy}"),
            Self::Io { what, source } => write!(f, "{what}: {source}"),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for Failure {}
