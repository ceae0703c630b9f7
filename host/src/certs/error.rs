//! Why there is no certificate to serve.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why there is no certificate to serve.
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
    /// One half of the pair is there and the other is not.
    Half {
        /// The half that is there.
        present: PathBuf,
        /// The half that is not.
        missing: PathBuf,
    },
    /// A file holds something else.
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should hold, and what is wrong.
        reason: String,
    },
    /// The key is not the certificate's.
    Mismatch {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
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
            Self::Half { present, missing } => write!(
                f,
                "there is `{}` but no `{}`; restore that file, or remove the first and have a new pair made, which needs a new webhook kubeconfig",
                present.display(),
                missing.display()
            ),
            Self::Malformed { path, reason } => write!(
                f,
                "`{}` {reason}; restore it, or remove the pair and have a new one made, which needs a new webhook kubeconfig",
                path.display()
            ),
            Self::Mismatch { certificate, key } => write!(
                f,
                "the key in `{}` does not belong to the certificate in `{}`; restore the pair, or remove both and have a new one made, which needs a new webhook kubeconfig",
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
