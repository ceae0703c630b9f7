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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use ack_ram_core::time::UnixTime;
    use serde_json::Value;

    use super::*;
    use crate::certs;

    const GO_STATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/go-state");

    fn go_authority() -> std::sync::Arc<Authority> {
        certs::load_or_create(Path::new(GO_STATE), &[], UnixTime::from_seconds(0)).unwrap()
    }

    #[test]
    fn it_says_what_the_file_of_go_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/kubeconfig.yaml");
        write(
            &path,
            "https://localhost:21362/authenticate",
            &go_authority(),
        )
        .unwrap();
        let read = |path: &Path| -> Value {
            serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
        };
        let (mut ours, go) = (
            read(&path),
            read(&Path::new(GO_STATE).join("ack-ram-authenticator.kubeconfig")),
        );
        let fields = ours.as_object_mut().unwrap();
        assert_eq!(fields.remove("apiVersion").unwrap(), "v1");
        assert_eq!(fields.remove("kind").unwrap(), "Config");
        assert_eq!(ours, go);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn it_is_written_only_where_it_says_something_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig.yaml");
        let authority = go_authority();
        for (url, wrote) in [
            ("https://a:1/authenticate", true),
            ("https://a:1/authenticate", false),
            ("https://b:1/authenticate", true),
        ] {
            assert_eq!(write(&path, url, &authority).unwrap(), wrote, "{url}");
            assert!(fs::read_to_string(&path).unwrap().contains(url));
        }
        let names = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 1, "nothing but the kubeconfig is left");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let path = folder.path().join("file/kubeconfig.yaml");
        let message = write(&path, "https://a:1/authenticate", &go_authority())
            .unwrap_err()
            .to_string();
        let expected = format!("cannot write the webhook kubeconfig `{}`: ", path.display());
        assert!(message.starts_with(&expected), "{message}");
    }
}
