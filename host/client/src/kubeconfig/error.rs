//! The reasons why kubeconfig files cannot be read or changed. No message quotes a value of a file other than names.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::files::FileError;

pub use super::edit::EditError;

/// The reason why kubeconfig files cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    /// There is no option, no variable, and no home directory.
    #[error("no kubeconfig file: the home directory is unknown; set --kubeconfig or `KUBECONFIG`")]
    NoHome,
    /// A file cannot be read.
    #[error("kubeconfig `{}` {error}", .path.display())]
    Unreadable {
        /// The path of the file.
        path: PathBuf,
        /// The cause.
        error: FileError,
    },
    /// A file is not a kubeconfig.
    #[error("kubeconfig `{}` {error}", .path.display())]
    Invalid {
        /// The path of the file.
        path: PathBuf,
        /// The cause.
        error: EditError,
    },
    /// An entry cannot be edited safely.
    #[error("kubeconfig `{}` {error}; add the {entry} by hand, as shown above", .path.display())]
    Edit {
        /// The path of the file.
        path: PathBuf,
        /// The entry.
        entry: EntryName,
        /// The cause.
        error: EditError,
        /// The text to add by hand.
        fragment: String,
    },
    /// Two entries of a list have the same name.
    #[error("kubeconfig `{}` has two entries for {entry}; remove one of them", .path.display())]
    Duplicate {
        /// The path of the file.
        path: PathBuf,
        /// The entry.
        entry: EntryName,
    },
    /// A user with the default name has other options.
    #[error(
        "{0} exists with other options; use --user with another name, or with this name to replace them"
    )]
    OtherOptions(EntryName),
    /// A user has credentials that are not from this program.
    #[error("{entry} has {credentials}, and they are kept; use --user with another name{advice}")]
    OtherCredentials {
        /// The user.
        entry: EntryName,
        /// The credentials.
        credentials: &'static str,
        /// Another way to go on.
        advice: &'static str,
    },
    /// An entry does not exist.
    #[error("{0} does not exist; run `kubectl config view` to see the entries")]
    Missing(EntryName),
    /// A new context could be for several clusters.
    #[error("{0} does not exist, and it is not clear which cluster it is for; set --cluster")]
    NoCluster(EntryName),
    /// The cluster ID has no place.
    #[error("a cluster ID in the entry of a cluster needs a context; set --context")]
    NoContext,
    /// A user cannot be converted.
    #[error("{entry} cannot be converted: {reason}")]
    NotConvertible {
        /// The user.
        entry: EntryName,
        /// The reason.
        reason: String,
    },
    /// The program has another name, which would become the name of sessions.
    #[error(
        "`{0}` is not named `ack-ram-authenticator`, so it would give sessions another name; rename it first"
    )]
    OtherProgram(String),
    /// The check of the identity failed, so nothing was changed.
    #[error("{entry} is not converted, since the check of its identity failed: {reason}")]
    CheckFailed {
        /// The user.
        entry: EntryName,
        /// The reason.
        reason: String,
    },
    /// Another program holds the lock.
    #[error(
        "kubeconfig is locked: `{}` exists; if no `kubectl config` command is running, remove that file", .0.display()
    )]
    Locked(PathBuf),
    /// The lock cannot be created.
    #[error("cannot create the lock `{}`: {error}", .path.display())]
    Lock {
        /// The path of the lock.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write `{}`: {error}", .path.display())]
    Write {
        /// The path of the file.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// Other programs change the files all the time.
    #[error(
        "other programs keep changing the kubeconfig; nothing was changed, so run the command again"
    )]
    Busy,
    /// A name has control characters.
    #[error("the name {0} has control characters; use another name")]
    Name(EntryName),
}

impl KubeconfigError {
    /// Returns the text to add to the kubeconfig by hand, if an entry cannot be edited safely.
    #[must_use]
    pub fn fragment(&self) -> Option<&str> {
        match self {
            Self::Edit { fragment, .. } => Some(fragment),
            _ => None,
        }
    }
}

/// The type and name of an entry. `Display` escapes control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryName {
    /// The type: `user`, `context` or `cluster`.
    pub kind: &'static str,
    /// The name.
    pub name: String,
}

impl EntryName {
    /// Returns the name of a user.
    #[must_use]
    pub fn user(name: &str) -> Self {
        Self::new("user", name)
    }

    pub(super) fn new(kind: &'static str, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
        }
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `", self.kind)?;
        for char in self.name.chars() {
            match char.is_control() {
                true => write!(f, "{}", char.escape_default())?,
                false => write!(f, "{char}")?,
            }
        }
        f.write_str("`")
    }
}
