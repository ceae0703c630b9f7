//! The webhook kubeconfig: tells kube-apiserver where the server is and which certificate proves it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::certs::Authority;
use crate::files;

/// Writes the kubeconfig that sends the API server to `url` to `path`, for `--authentication-token-webhook-config-file`.
/// A file that says so already is left alone. Gives whether it wrote.
///
/// # Errors
/// When the file, or its folder, cannot be written.
pub fn write(path: &Path, url: &str, authority: &Authority) -> Result<bool, KubeconfigError> {
    let contents = render(url, authority.certificate_pem());
    if matches!(files::read_if_present(path), Ok(Some(present)) if present == contents) {
        return Ok(false);
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    folder
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| files::replace(path, contents.as_bytes(), files::PRIVATE))
        .map(|()| true)
        .map_err(|source| KubeconfigError {
            path: path.to_owned(),
            source,
        })
}

/// Cluster, user and context have the names that Go's file has, to which other files may refer.
fn render(url: &str, certificate_pem: &str) -> String {
    format!(
        "\
apiVersion: v1
kind: Config
clusters:
  - name: ack-ram-authenticator
    cluster:
      certificate-authority-data: {certificate}
      server: {url}
# The user is the API server as a client of the webhook. It needs no credentials.
users:
  - name: apiserver
current-context: webhook
contexts:
  - name: webhook
    context:
      cluster: ack-ram-authenticator
      user: apiserver
",
        certificate = STANDARD.encode(certificate_pem)
    )
}

/// The webhook kubeconfig cannot be written.
#[derive(Debug)]
pub struct KubeconfigError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

impl fmt::Display for KubeconfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot write the webhook kubeconfig `{}`: {}; choose another place with --generate-kubeconfig, or give --kubeconfig-pregenerated if `init` has made it",
            self.path.display(),
            self.source
        )
    }
}

impl std::error::Error for KubeconfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
