//! The webhook kubeconfig: tells kube-apiserver where the server is, which certificate proves it, and what proves
//! kube-apiserver in turn, where the server asks for that.

use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ack_ram_core::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::certs::ClientCertificate;
use crate::files;

/// The user that the API server is.
const API_SERVER_USER: &str = "apiserver";

/// A webhook kubeconfig is a few kilobytes, and a few CAs more.
const MAX_BYTES: u64 = 4 << 20;

/// What a webhook kubeconfig says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookKubeconfig {
    /// Where the webhook is.
    pub url: String,
    /// The certificates that prove it, in PEM.
    pub authority: String,
    /// What proves the API server, if anything has to.
    pub client: Option<ClientCertificate>,
}

impl WebhookKubeconfig {
    /// Writes it to `path`, for `--authentication-token-webhook-config-file`. A file that says so already is left alone;
    /// only, if it has a key that everybody may read, its owner alone may from now on. Gives whether it wrote.
    ///
    /// # Errors
    /// When the file, or its folder, cannot be written.
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
                "what was made does not read back as it should, which is a bug to report",
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

    /// Takes the file from others if there is a key in it. A group that may read it may be that of kube-apiserver.
    fn restrict_access(&self, path: &Path) -> io::Result<()> {
        let mode = fs::metadata(path)?.permissions().mode();
        if self.client.is_none() || mode & 0o007 == 0 {
            return Ok(());
        }
        fs::set_permissions(path, Permissions::from_mode(files::PRIVATE))?;
        tracing::warn!(
            path = %path.display(),
            "every user could read the key in the webhook kubeconfig; now only its owner can"
        );
        Ok(())
    }

    /// Returns whether `contents`, read as a kubeconfig, are this one.
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

    /// Cluster, user and context have the names that Go's file has, to which other files may refer.
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
# The user is the API server as a client of the webhook, which answers nobody without this certificate.
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

/// The client certificate in the webhook kubeconfig at `path`, if it is one and has one.
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
            "cannot write the webhook kubeconfig `{}`: {}; choose another place with --generate-kubeconfig, or give --kubeconfig-pregenerated if `init` has made it or the server is to write none",
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
    use serde_json::Value;

    use super::*;

    const GO_STATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/go-state");

    fn kubeconfig(url: &str) -> WebhookKubeconfig {
        WebhookKubeconfig {
            url: url.to_owned(),
            authority: fs::read_to_string(Path::new(GO_STATE).join("cert.pem")).unwrap(),
            client: None,
        }
    }

    fn client() -> ClientCertificate {
        ClientCertificate {
            certificate: "certificate".to_owned(),
            key: Secret::new("CANARY"),
        }
    }

    fn read(path: &Path) -> Value {
        serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    }

    #[test]
    fn kubeconfig_equals_that_of_go() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/kubeconfig.yaml");
        kubeconfig("https://localhost:21362/authenticate")
            .write(&path)
            .unwrap();
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
        assert_eq!(read_client_certificate(&path), None);
    }

    /// A umask is of the whole process, so a process of its own has it.
    #[test]
    fn folder_mode_is_at_most_0755_under_any_umask() {
        const ROLE: &str = "ACK_RAM_TEST_KUBECONFIG_FOLDER";
        if let Some(folder) = std::env::var_os(ROLE) {
            nix::sys::stat::umask(nix::sys::stat::Mode::empty());
            let path = Path::new(&folder).join("a/b/kubeconfig.yaml");
            kubeconfig("https://a:1/authenticate").write(&path).unwrap();
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let name = "kubeconfig::tests::folder_mode_is_at_most_0755_under_any_umask";
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(ROLE, folder.path())
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        for (name, mode) in [("a", 0o755), ("a/b", 0o755), ("a/b/kubeconfig.yaml", 0o600)] {
            let metadata = fs::metadata(folder.path().join(name)).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o7777, mode, "{name}");
        }
    }

    #[test]
    fn client_certificate_round_trips() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig.yaml");
        let kubeconfig = WebhookKubeconfig {
            client: Some(client()),
            ..kubeconfig("https://a:1/authenticate")
        };
        kubeconfig.write(&path).unwrap();
        assert_eq!(read_client_certificate(&path), Some(client()));
        let user = &read(&path)["users"][0]["user"];
        assert_eq!(user["client-key-data"], STANDARD.encode("CANARY"));
        assert!(!format!("{kubeconfig:?}").contains("CANARY"));
    }

    #[test]
    fn file_without_client_certificate_gives_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig.yaml");
        assert_eq!(read_client_certificate(&path), None);
        assert_eq!(read_client_certificate(folder.path()), None);
        for text in [
            "",
            "[]",
            "users: x",
            "users: [{name: apiserver}]",
            "users: [{name: apiserver, user: {token: x}}]",
            "users: [{name: apiserver, user: {client-certificate-data: YQ==}}]",
            "users: [{name: apiserver, user: {client-certificate-data: '!', client-key-data: YQ==}}]",
            "users: [{name: other, user: {client-certificate-data: YQ==, client-key-data: YQ==}}]",
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(read_client_certificate(&path), None, "{text}");
        }
    }

    #[test]
    fn unchanged_kubeconfig_is_not_rewritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig.yaml");
        for (url, client, wrote) in [
            ("https://a:1/authenticate", None, true),
            ("https://a:1/authenticate", None, false),
            ("https://b:1/authenticate", None, true),
            ("https://b:1/authenticate", Some(client()), true),
            ("https://b:1/authenticate", Some(client()), false),
        ] {
            let kubeconfig = WebhookKubeconfig {
                client,
                ..kubeconfig(url)
            };
            assert_eq!(kubeconfig.write(&path).unwrap(), wrote, "{url}");
            assert!(fs::read_to_string(&path).unwrap().contains(url));
        }
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        for (client, before, after) in [
            (Some(client()), 0o644, 0o600),
            (Some(client()), 0o640, 0o640),
            (None, 0o644, 0o644),
        ] {
            let kubeconfig = WebhookKubeconfig {
                client,
                ..kubeconfig("https://b:1/authenticate")
            };
            kubeconfig.write(&path).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(before)).unwrap();
            assert!(!kubeconfig.write(&path).unwrap());
            assert_eq!(mode(), after, "{before:o}");
        }
        let names = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 1, "nothing but the kubeconfig is left");
    }

    #[test]
    fn kubeconfig_that_does_not_read_back_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig.yaml");
        for url in [
            "https://a:1/authenticate # b",
            "https://a:1/authenticate\nusers: []",
            "{a: b}",
        ] {
            let error = kubeconfig(url).write(&path).unwrap_err();
            assert!(error.to_string().contains("does not read back"), "{error}");
            assert!(!path.exists());
        }
    }

    #[test]
    fn unwritable_path_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let path = folder.path().join("file/kubeconfig.yaml");
        let error = kubeconfig("https://a:1/authenticate").write(&path);
        let message = error.unwrap_err().to_string();
        let expected = format!("cannot write the webhook kubeconfig `{}`: ", path.display());
        assert!(message.starts_with(&expected), "{message}");
    }
}
