//! How the API server is reached.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::Uri;
use hyper::header::{HeaderValue, USER_AGENT};
use kube::Client;
use kube::client::{AuthError, ConfigExt as _};
use kube::config::{
    Cluster, Config, InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError,
};

/// Within a cluster, a connection is there in milliseconds or not at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A watch is never silent for longer: the API server sends a bookmark about every minute (Kubernetes, "Watch
/// bookmarks"). A connection that died without a word is noticed then.
const READ_TIMEOUT: Duration = Duration::from_secs(120);
/// A request is a few kilobytes.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Why the API server cannot be asked.
#[derive(Debug)]
pub enum ClientError {
    /// The kubeconfig cannot be used.
    Kubeconfig {
        /// Which.
        path: PathBuf,
        /// What is wrong with it, without what it holds.
        problem: String,
    },
    /// The kubeconfig names a proxy.
    Proxy {
        /// Which.
        path: PathBuf,
    },
    /// `server.master` is no URL.
    Master {
        /// What it is.
        given: String,
    },
    /// There is no kubeconfig, and this is no pod.
    NotInCluster(InClusterError),
    /// Its certificates or credentials cannot be used.
    Credentials {
        /// What is wrong with them, without what they are.
        problem: String,
    },
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kubeconfig { path, problem } => write!(
                f,
                "the kubeconfig {} cannot be used: {problem}; correct it, or name another in `server.kubeconfig`",
                path.display()
            ),
            Self::Proxy { path } => write!(
                f,
                "the kubeconfig {} has a `proxy-url`, which is not supported; write the URL of an API server that is reached directly",
                path.display()
            ),
            Self::Master { given } => write!(
                f,
                "`server.master` is `{given}`; write the URL of the API server, `https://<host>[:<port>]`"
            ),
            Self::NotInCluster(error) => write!(
                f,
                "this is not a pod that has a service account: {error}; name a kubeconfig in `server.kubeconfig`"
            ),
            Self::Credentials { problem } => write!(
                f,
                "the certificates or credentials for the API server cannot be used: {problem}"
            ),
        }
    }
}

impl std::error::Error for ClientError {}

/// A client of the API server that `kubeconfig` names, or `master` in its place, with the rest of `kubeconfig`. With
/// neither, it is the one of the cluster that this process runs in. `master` alone is asked without credentials, as
/// client-go does (`clientcmd.BuildConfigFromFlags`).
///
/// It connects when it is first used. It never asks through the proxy of `HTTPS_PROXY`.
///
/// # Errors
/// Says what to correct.
pub async fn build_client(
    kubeconfig: Option<&Path>,
    master: Option<&str>,
) -> Result<Client, ClientError> {
    let config = config(kubeconfig, master).await?;
    Client::try_from(config).map_err(|error| ClientError::Credentials {
        problem: describe_credentials_error(&error),
    })
}

/// Reads what [`build_client`] needs, as far as that goes without running a command or asking anybody.
///
/// # Errors
/// As [`build_client`].
pub(crate) async fn check(
    kubeconfig: Option<&Path>,
    master: Option<&str>,
) -> Result<(), ClientError> {
    let mut config = config(kubeconfig, master).await?;
    config.auth_info.exec = None;
    config.auth_info.auth_provider = None;
    match config.rustls_client_config() {
        Ok(_) => Ok(()),
        Err(error) => Err(ClientError::Credentials {
            problem: describe_credentials_error(&error),
        }),
    }
}

async fn config(kubeconfig: Option<&Path>, master: Option<&str>) -> Result<Config, ClientError> {
    let master = master.map(url).transpose()?;
    let mut config = match (kubeconfig, master) {
        (Some(path), master) => from_file(path, master.as_ref()).await?,
        (None, Some(master)) => Config::new(master),
        (None, None) => Config::incluster().map_err(ClientError::NotInCluster)?,
    };
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.read_timeout = Some(READ_TIMEOUT);
    config.write_timeout = Some(WRITE_TIMEOUT);
    // Else the time that a kept connection was idle would count against the next answer.
    config.reset_reader_on_write = true;
    // Else a 503 is asked about again for minutes, in silence. Whoever asks waits and tries again, and tells.
    config.default_retry = false;
    config.headers = vec![(USER_AGENT, HeaderValue::from_static(AGENT))];
    Ok(config)
}

const AGENT: &str = concat!("ack-ram-authenticator/", env!("CARGO_PKG_VERSION"));

fn url(given: &str) -> Result<Uri, ClientError> {
    let url = given.parse::<Uri>().ok();
    url.filter(|url| matches!(url.scheme_str(), Some("https" | "http")))
        .ok_or_else(|| ClientError::Master {
            given: given.to_owned(),
        })
}

async fn from_file(path: &Path, master: Option<&Uri>) -> Result<Config, ClientError> {
    let unusable = |error: KubeconfigError| ClientError::Kubeconfig {
        path: path.to_owned(),
        problem: problem(&error),
    };
    let mut file = Kubeconfig::read_from(path).map_err(unusable)?;
    if let Some(cluster) = current_cluster(&mut file, None) {
        if cluster
            .proxy_url
            .as_ref()
            .is_some_and(|url| !url.is_empty())
        {
            let path = path.to_owned();
            return Err(ClientError::Proxy { path });
        }
        if let Some(master) = master {
            cluster.server = Some(master.to_string());
            // It is the name of the other server (client-go, `getCluster`).
            cluster.tls_server_name = None;
        }
        ignore_proxy_environment(cluster);
    }
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(file, &options)
        .await
        .map_err(unusable)?;
    config.proxy_url = None;
    Ok(config)
}

/// Keeps kube from reading `HTTPS_PROXY`, which is there for STS: kube would refuse the kubeconfig because of a value that
/// is no URL. `cluster` has no proxy of its own, and the one that is set here is removed from what kube makes of it.
pub(crate) fn ignore_proxy_environment(cluster: &mut Cluster) {
    cluster.proxy_url = Some("http://localhost/".to_owned());
}

/// Returns the cluster of `context`, or of the file's own context.
pub(crate) fn current_cluster<'a>(
    file: &'a mut Kubeconfig,
    context: Option<&str>,
) -> Option<&'a mut Cluster> {
    let current = context.or(file.current_context.as_deref())?;
    let context = file.contexts.iter().find(|named| named.name == current)?;
    let wanted = &context.context.as_ref()?.cluster;
    let cluster = file.clusters.iter_mut().find(|named| named.name == *wanted);
    cluster?.cluster.as_mut()
}

/// What YAML that cannot be read says about itself would quote it, with the secrets in it.
pub(crate) fn problem(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(error) => match error.location() {
            Some(location) => format!("line {} is not as in a kubeconfig", location.line()),
            None => "it is not YAML".to_owned(),
        },
        error => error.to_string(),
    }
}

/// A command that gives credentials may print some, and have others in its environment.
fn describe_credentials_error(error: &kube::Error) -> String {
    match error {
        kube::Error::Auth(AuthError::AuthExecRun { out, .. }) => {
            format!("the command in the kubeconfig failed, {}", out.status)
        }
        kube::Error::Auth(AuthError::AuthExecParse(_)) => {
            "what the command in the kubeconfig prints is no ExecCredential".to_owned()
        }
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
current-context: here
clusters:
- name: other
  cluster: {server: 'https://other.example:6443', proxy-url: 'http://proxy.example:3128'}
- name: one
  cluster: {server: 'https://one.example:6443', tls-server-name: api.one.example}
users:
- name: one
  user: {token: the-secret-token}
contexts:
- name: here
  context: {cluster: one, user: one}
";

    async fn with_file(content: &str, master: Option<&str>) -> Result<Config, ClientError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kubeconfig");
        fs::write(&path, content).unwrap();
        config(Some(&path), master).await
    }

    #[tokio::test]
    async fn master_overrides_server_of_kubeconfig() {
        for (master, url, name) in [
            (None, "https://one.example:6443/", Some("api.one.example")),
            (
                Some("https://10.0.0.1:6443"),
                "https://10.0.0.1:6443/",
                None,
            ),
        ] {
            let config = with_file(KUBECONFIG, master).await.unwrap();
            assert_eq!(config.cluster_url, url);
            assert_eq!(config.tls_server_name.as_deref(), name);
            assert!(config.auth_info.token.is_some());
            assert_eq!(config.proxy_url, None);
            assert_eq!(config.read_timeout, Some(READ_TIMEOUT));
            assert!(
                config
                    .headers
                    .contains(&(USER_AGENT, HeaderValue::from_static(AGENT)))
            );
        }
    }

    #[tokio::test]
    async fn master_alone_is_used_without_credentials() {
        let config = config(None, Some("http://127.0.0.1:8001")).await.unwrap();
        assert_eq!(config.cluster_url, "http://127.0.0.1:8001/");
        assert!(config.auth_info.token.is_none());
        assert!(config.auth_info.token_file.is_none());
    }

    #[tokio::test]
    async fn errors_omit_command_output() {
        for (script, part) in [
            ("echo the-secret-token; exit 3", "failed, exit status: 3"),
            ("echo '{the-secret-token'", "is no ExecCredential"),
        ] {
            let exec = format!(
                "user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, command: sh, args: [-c, \"{script}\"], interactiveMode: Never}}}}"
            );
            let file = KUBECONFIG.replace("user: {token: the-secret-token}", &exec);
            let config = with_file(&file, None).await.unwrap();
            let error = Client::try_from(config).map(|_| ()).unwrap_err();
            let text = describe_credentials_error(&error);
            assert!(text.contains(part), "{text}");
            assert!(!text.contains("the-secret-token"), "{text}");
        }
    }

    #[tokio::test]
    async fn errors_omit_file_contents() {
        let broken = KUBECONFIG.replace("user: {token", "user: {token: [1], token");
        let not_yaml = KUBECONFIG.replace("user: {token", "user: [token");
        let no_context = KUBECONFIG.replace("current-context: here", "current-context: there");
        let proxy = KUBECONFIG.replace("cluster: one", "cluster: other");
        for (content, master, part) in [
            (broken.as_str(), None, "is not as in a kubeconfig"),
            (not_yaml.as_str(), None, "is not as in a kubeconfig"),
            (no_context.as_str(), None, "there"),
            (proxy.as_str(), None, "`proxy-url`, which is not supported"),
            ("", None, "cannot be used"),
            (
                KUBECONFIG,
                Some("10.0.0.1:6443"),
                "`server.master` is `10.0.0.1:6443`",
            ),
            (
                KUBECONFIG,
                Some("ftp://10.0.0.1"),
                "`https://<host>[:<port>]`",
            ),
        ] {
            let error = with_file(content, master).await.unwrap_err();
            for text in [error.to_string(), format!("{error:?}")] {
                assert!(!text.contains("the-secret-token"), "{text}");
            }
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
        let missing = config(Some(Path::new("/nowhere/kubeconfig")), None).await;
        let error = missing.unwrap_err().to_string();
        assert!(error.contains("/nowhere/kubeconfig"), "{error}");
    }
}
