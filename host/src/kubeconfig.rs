//! The webhook kubeconfig: gives kube-apiserver the URL of the server, the CA of the server, and a client certificate
//! if the server requires one.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ack_ram_core::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use thiserror::Error;

use crate::certs::ClientCertificate;
use crate::files;

/// The name of the user entry for the API server.
const API_SERVER_USER: &str = "apiserver";

/// The size limit. A webhook kubeconfig has a few kilobytes, and more with several CAs.
const MAX_BYTES: u64 = 4 << 20;

/// The contents of a webhook kubeconfig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookKubeconfig {
    /// The URL of the webhook.
    pub url: String,
    /// The CA certificates of the webhook, in PEM.
    pub authority: String,
    /// The client certificate of the API server, if there is one.
    pub client: Option<ClientCertificate>,
}

impl WebhookKubeconfig {
    /// Writes the kubeconfig to `path`, for `--authentication-token-webhook-config-file`. Returns whether the file was
    /// written.
    ///
    /// A file with the same contents is not written again. If every user can read such a file and it contains a key,
    /// only its owner keeps access.
    ///
    /// # Errors
    /// When the file or its folder cannot be written.
    pub fn write(&self, path: &Path) -> Result<bool, KubeconfigError> {
        self.try_write(path).map_err(|source| KubeconfigError {
            path: path.to_owned(),
            source,
        })
    }

    fn try_write(&self, path: &Path) -> io::Result<bool> {
        let contents = self.render();
        if matches!(files::read_if_present(path, MAX_BYTES), Ok(Some(present)) if present == contents)
        {
            self.restrict_access(path)?;
            return Ok(false);
        }
        if !self.reads_back(&contents) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the new contents do not read back as expected; report this as a bug",
            ));
        }
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder {
            files::create_folder(folder, files::PUBLIC_FOLDER)?;
        }
        files::replace(path, contents.as_bytes(), files::PRIVATE)?;
        Ok(true)
    }

    /// Removes the access of other users if the file contains a key. Keeps the access of a group, which may be that of
    /// kube-apiserver.
    fn restrict_access(&self, path: &Path) -> io::Result<()> {
        let mode = fs::metadata(path)?.permissions().mode();
        if self.client.is_none() || mode & 0o007 == 0 {
            return Ok(());
        }
        fs::set_permissions(path, Permissions::from_mode(files::PRIVATE))?;
        tracing::warn!(
            path = %path.display(),
            "every user could read the key in the webhook kubeconfig; now only the owner of the file can"
        );
        Ok(())
    }

    /// Returns whether `contents`, parsed as a kubeconfig, equal this kubeconfig.
    fn reads_back(&self, contents: &str) -> bool {
        let Ok(file) = serde_saphyr::from_str::<serde_json::Value>(contents) else {
            return false;
        };
        let value_at = |path: &str| file.pointer(path).and_then(serde_json::Value::as_str);
        let authority = STANDARD.encode(&self.authority);
        value_at("/clusters/0/cluster/server") == Some(&self.url)
            && value_at("/clusters/0/cluster/certificate-authority-data") == Some(&authority)
            && parse_client_certificate(contents) == self.client
    }

    /// Renders the kubeconfig. Cluster, user and context have the same names as in the Go version, since other files
    /// may refer to them.
    fn render(&self) -> String {
        let user = match &self.client {
            None => "\
# The user is the API server as a client of the webhook. It needs no credentials.
users:
  - name: apiserver
"
            .to_owned(),
            Some(client) => format!(
                "\
# The user is the API server as a client of the webhook, which requires this certificate.
users:
  - name: apiserver
    user:
      client-certificate-data: {certificate}
      client-key-data: {key}
",
                certificate = STANDARD.encode(&client.certificate),
                key = STANDARD.encode(client.key.expose())
            ),
        };
        format!(
            "\
apiVersion: v1
kind: Config
clusters:
  - name: ack-ram-authenticator
    cluster:
      certificate-authority-data: {authority}
      server: {url}
{user}current-context: webhook
contexts:
  - name: webhook
    context:
      cluster: ack-ram-authenticator
      user: apiserver
",
            authority = STANDARD.encode(&self.authority),
            url = self.url
        )
    }
}

/// Returns the client certificate in the webhook kubeconfig at `path`; `None` if the file is not a kubeconfig or has no
/// client certificate.
#[must_use]
pub fn read_client_certificate(path: &Path) -> Option<ClientCertificate> {
    parse_client_certificate(&files::read_up_to(path, MAX_BYTES).ok()?)
}

fn parse_client_certificate(text: &str) -> Option<ClientCertificate> {
    let file: KubeconfigFile = serde_saphyr::from_str(text).ok()?;
    let user = file
        .users
        .into_iter()
        .find(|user| user.name == API_SERVER_USER)?
        .user?;
    let decode = |text: String| String::from_utf8(STANDARD.decode(text).ok()?).ok();
    Some(ClientCertificate {
        certificate: decode(user.certificate?)?,
        key: Secret::new(decode(user.key?)?),
    })
}

#[derive(Deserialize)]
struct KubeconfigFile {
    users: Vec<NamedUser>,
}

#[derive(Deserialize)]
struct NamedUser {
    name: String,
    user: Option<KubeconfigUser>,
}

#[derive(Deserialize)]
struct KubeconfigUser {
    #[serde(rename = "client-certificate-data")]
    certificate: Option<String>,
    #[serde(rename = "client-key-data")]
    key: Option<String>,
}

/// The webhook kubeconfig cannot be written.
#[derive(Debug, Error)]
#[error(
    "cannot write the webhook kubeconfig `{path}`: {source}; set --generate-kubeconfig to another path, or set --kubeconfig-pregenerated if `init` created the kubeconfig or you need none"
)]
pub struct KubeconfigError {
    /// The path of the file.
    pub path: PathBuf,
    /// The cause.
    pub source: io::Error,
}

#[cfg(test)]
mod tests;
