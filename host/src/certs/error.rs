//! Why there is no certificate to serve.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::files;
use crate::files::ownership::process_uid;

/// Why there is no certificate to serve, or for a client to show.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// The folder or a file in it cannot be read.
    #[error("cannot read `{path}`: {source}; let the server read it")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// This process may not read a key.
    #[error("cannot read the key `{path}`: {source}; {}", make_private(path, *owner))]
    UnreadableKey {
        /// The key.
        path: PathBuf,
        /// The user to whom it belongs, if that is known.
        owner: Option<u32>,
        /// Why.
        source: io::Error,
    },
    /// The folder or a file in it cannot be written.
    #[error(
        "cannot write `{path}`: {source}; let the server write there, or choose another folder with --state-dir"
    )]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// One half of a pair is there and the other is not.
    #[error("there is `{present}` but no `{missing}`; {remedy}")]
    Half {
        /// The half that is there.
        present: PathBuf,
        /// The half that is not.
        missing: PathBuf,
        /// What to do.
        remedy: &'static str,
    },
    /// A file holds something else.
    #[error("`{path}` {reason}; {remedy}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should hold, and what is wrong.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The key is not the certificate's.
    #[error("the key in `{key}` does not belong to the certificate in `{certificate}`; {remedy}")]
    Mismatch {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// What to do.
        remedy: &'static str,
    },
    /// Another user may have written a key, or may read it.
    #[error(
        "the key `{path}` belongs to uid {owner} and has mode {mode:04o}, so other users may have read or replaced it; if you are sure that nobody has, {}; otherwise, {remedy}",
        make_private_again(path, *owner, *is_link)
    )]
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
    #[error(
        "`server.requireClientCertificate` is true, and there is no CA of clients `{path}`; restore that file; or run `init --client-cert` in `{}`, which needs a new webhook kubeconfig",
        files::parent_folder(path).display()
    )]
    NoClientAuthority {
        /// Where its certificate would be.
        path: PathBuf,
    },
    /// A certificate could not be made, which is a fault of this program.
    #[error("cannot make a certificate: {0}")]
    Issue(String),
}

/// What gives the exposed key at `path`, which belongs to `owner`, to this process alone.
fn make_private_again(path: &Path, owner: u32, is_link: bool) -> String {
    if is_link {
        "set `defaultMode: 0400` of the Secret volume, and no `fsGroup`".to_owned()
    } else {
        make_private(path, Some(owner))
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
