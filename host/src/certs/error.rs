//! Why there is no certificate to serve.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::files;
use crate::files::ownership::process_uid;

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
    /// This process may not read a key.
    UnreadableKey {
        /// The key.
        path: PathBuf,
        /// The user to whom it belongs, if that is known.
        owner: Option<u32>,
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
    /// Another user may have written a key, or may read it.
    ExposedKey {
        /// The key.
        path: PathBuf,
        /// The user to whom it belongs.
        owner: u32,
        /// Its permission bits.
        mode: u32,
        /// Whether it is a link, as all files of a Secret volume are.
        is_link: bool,
        /// What to do if another user may have done so.
        remedy: &'static str,
    },
    /// Clients are required to have a certificate, and there is no CA of clients.
    NoClientAuthority {
        /// Where its certificate would be.
        path: PathBuf,
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
            Self::UnreadableKey {
                path,
                owner,
                source,
            } => write!(
                f,
                "cannot read the key `{}`: {source}; {}",
                path.display(),
                make_private(path, *owner)
            ),
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
            Self::ExposedKey {
                path,
                owner,
                mode,
                is_link,
                remedy,
            } => {
                let private = if *is_link {
                    "set `defaultMode: 0400` of the Secret volume, and no `fsGroup`".to_owned()
                } else {
                    make_private(path, Some(*owner))
                };
                let path = path.display();
                write!(
                    f,
                    "the key `{path}` belongs to uid {owner} and has mode {mode:04o}, so other users may have read or replaced it; if you are sure that nobody has, {private}; otherwise, {remedy}"
                )
            }
            Self::NoClientAuthority { path } => write!(
                f,
                "`server.requireClientCertificate` is true, and there is no CA of clients `{}`; restore that file; or run `init --client-cert` in `{}`, which needs a new webhook kubeconfig",
                path.display(),
                files::parent_folder(path).display()
            ),
            Self::Issue(reason) => write!(f, "cannot make a certificate: {reason}"),
        }
    }
}

/// What gives the key at `path`, which belongs to `owner`, to this process alone.
fn make_private(path: &Path, owner: Option<u32>) -> String {
    let (path, process) = (path.display(), process_uid());
    if owner == Some(process) {
        format!("run `chmod 600 {path}`")
    } else {
        format!("run `chown {process} {path} && chmod 600 {path}`")
    }
}

impl std::error::Error for CertificateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. }
            | Self::UnreadableKey { source, .. }
            | Self::Unwritable { source, .. } => Some(source),
            Self::Half { .. }
            | Self::Malformed { .. }
            | Self::Mismatch { .. }
            | Self::ExposedKey { .. }
            | Self::NoClientAuthority { .. }
            | Self::Issue(_) => None,
        }
    }
}
