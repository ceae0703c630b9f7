//! Errors of certificates and their files.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::files;
use crate::files::ownership::process_uid;

/// Why a certificate of the server or of a client cannot be used or created.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// The folder or a file in it cannot be read.
    #[error("cannot read `{path}`: {source}; allow the server to read it")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// This process has no permission to read a key.
    #[error("cannot read the key `{path}`: {source}; {}", make_private(path, *owner))]
    UnreadableKey {
        /// The key.
        path: PathBuf,
        /// The owner of the key, if known.
        owner: Option<u32>,
        /// The cause.
        source: io::Error,
    },
    /// The folder or a file in it cannot be written.
    #[error(
        "cannot write `{path}`: {source}; allow the server to write there, or choose another folder with --state-dir"
    )]
    Unwritable {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Only one file of a pair exists.
    #[error("there is `{present}` but no `{missing}`; {remedy}")]
    Half {
        /// The file that exists.
        present: PathBuf,
        /// The missing file.
        missing: PathBuf,
        /// What to do.
        remedy: &'static str,
    },
    /// A file has invalid contents.
    #[error("`{path}` {reason}; {remedy}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, as a phrase whose subject is the file.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The key does not belong to the certificate.
    #[error("the key in `{key}` does not belong to the certificate in `{certificate}`; {remedy}")]
    Mismatch {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
        /// What to do.
        remedy: &'static str,
    },
    /// Another user may have read or written a key.
    #[error(
        "the key `{path}` belongs to uid {owner} and has mode {mode:04o}, so other users may have read or replaced it; if you are sure that no other user did, {}; otherwise, {remedy}",
        make_private_again(path, *owner, *is_link)
    )]
    ExposedKey {
        /// The key.
        path: PathBuf,
        /// The owner of the key.
        owner: u32,
        /// The permission bits of the key.
        mode: u32,
        /// Whether the key is a symbolic link, as all files of a Secret volume are.
        is_link: bool,
        /// What to do if another user may have read or replaced the key.
        remedy: &'static str,
    },
    /// Client certificates are required, but there is no client CA.
    #[error(
        "`server.requireClientCertificate` is true, but the client CA `{path}` does not exist; restore that file, or run `init --client-cert` in `{}`, which requires a new webhook kubeconfig",
        files::parent_folder(path).display()
    )]
    NoClientAuthority {
        /// Path of the missing CA certificate.
        path: PathBuf,
    },
    /// A certificate could not be created. This is a defect of the program.
    #[error("cannot create a certificate: {0}")]
    Issue(String),
}

/// Returns how to make the exposed key at `path`, which belongs to `owner`, private to this process.
fn make_private_again(path: &Path, owner: u32, is_link: bool) -> String {
    if is_link {
        "set `defaultMode: 0400` of the Secret volume, and no `fsGroup`".to_owned()
    } else {
        make_private(path, Some(owner))
    }
}

/// Returns how to make the key at `path`, which belongs to `owner`, private to this process.
fn make_private(path: &Path, owner: Option<u32>) -> String {
    let (path, process) = (path.display(), process_uid());
    if owner == Some(process) {
        format!("run `chmod 600 {path}`")
    } else {
        format!("run `chown {process} {path} && chmod 600 {path}`")
    }
}
