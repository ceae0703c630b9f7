//! Why there is no certificate to serve.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why there is no certificate to serve, or for a client to show.
#[derive(Debug)]
pub enum CertificateError {
    /// The folder or a file in it cannot be read.
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder or a file in it cannot be written.
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// One half of a pair is there and the other is not.
    Half {
        /// The half that is there.
        present: PathBuf,
        /// The half that is not.
        missing: PathBuf,
        /// What to do.
        remedy: &'static str,
    },
    /// A file holds something else.
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should hold, and what is wrong.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The key is not the certificate's.
    Mismatch {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// What to do.
        remedy: &'static str,
    },
    /// A certificate could not be made, which is a fault of this program.
    Issue(String),
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, source } => {
                write!(
                    f,
                    "cannot read `{}`: {source}; let the server read it",
                    path.display()
                )
            }
            Self::Unwritable { path, source } => write!(
                f,
                "cannot write `{}`: {source}; let the server write there, or choose another folder with --state-dir",
                path.display()
            ),
            Self::Half {
                present,
                missing,
                remedy,
            } => write!(
                f,
                "there is `{}` but no `{}`; {remedy}",
                present.display(),
                missing.display()
            ),
            Self::Malformed {
                path,
                reason,
                remedy,
            } => write!(f, "`{}` {reason}; {remedy}", path.display()),
            Self::Mismatch {
                certificate,
                key,
                remedy,
            } => write!(
                f,
                "the key in `{}` does not belong to the certificate in `{}`; {remedy}",
                key.display(),
                certificate.display()
            ),
            Self::Issue(reason) => write!(f, "cannot make a certificate: {reason}"),
        }
    }
}

impl std::error::Error for CertificateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } | Self::Unwritable { source, .. } => Some(source),
            Self::Half { .. } | Self::Malformed { .. } | Self::Mismatch { .. } | Self::Issue(_) => {
                None
            }
        }
    }
}
