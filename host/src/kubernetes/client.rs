//! The client of the API server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::Uri;
use hyper::header::{HeaderValue, USER_AGENT};
use kube::Client;
use kube::client::{AuthError, ConfigExt as _};
use kube::config::{
    Cluster, Config, InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError,
};
use thiserror::Error;

/// Within a cluster, a connection takes milliseconds or fails.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The API server sends a bookmark on each watch about every minute (Kubernetes, "Watch bookmarks"). A connection that
/// is silent for longer is dead.
const READ_TIMEOUT: Duration = Duration::from_secs(120);
/// Requests have only a few kilobytes.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The reason why a client of the API server cannot be built.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The kubeconfig cannot be used.
    #[error(
        "the kubeconfig {path} cannot be used: {problem}; correct the file, or set `server.kubeconfig` to another one"
    )]
    Kubeconfig {
        /// The path of the kubeconfig.
        path: PathBuf,
        /// The problem, without the content of the file.
        problem: String,
    },
    /// The kubeconfig sets a proxy.
    #[error(
        "the kubeconfig {path} has a `proxy-url`, which is not supported; use the URL of an API server that needs no proxy"
    )]
    Proxy {
        /// The path of the kubeconfig.
        path: PathBuf,
    },
    /// `server.master` is not a URL.
    #[error(
        "`server.master` is `{given}`; expected the URL of the API server, `https://<host>[:<port>]`"
    )]
    Master {
        /// The value of `server.master`.
        given: String,
    },
    /// There is no kubeconfig, and the process does not run in a pod.
    #[error(
        "not running in a pod with a service account: {0}; set `server.kubeconfig` to a kubeconfig"
    )]
    NotInCluster(InClusterError),
    /// The certificates or credentials cannot be used.
    #[error("the certificates or credentials for the API server cannot be used: {problem}")]
    Credentials {
        /// The problem, without the certificates or credentials.
        problem: String,
    },
}

/// Builds a client of the API server in `kubeconfig`. `master` replaces the URL in `kubeconfig`. Without both, the
/// client uses the cluster that this process runs in. With only `master`, the client has no credentials, as in
/// client-go (`clientcmd.BuildConfigFromFlags`).
///
/// The client connects on first use. It ignores the proxy in `HTTPS_PROXY`.
///
/// # Errors
/// If the kubeconfig, the URL, the certificates or the credentials cannot be used. The error says what to correct.
pub async fn build_client(
    kubeconfig: Option<&Path>,
    master: Option<&str>,
) -> Result<Client, ClientError> {
    let config = config(kubeconfig, master).await?;
    Client::try_from(config).map_err(|error| ClientError::Credentials {
        problem: describe_credentials_error(&error),
    })
}

/// Checks the input of [`build_client`] without running a command and without a request.
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
    // Without this, the idle time of a kept connection counts toward the timeout of the next answer.
    config.reset_reader_on_write = true;
    // By default, kube retries after a 503 for minutes without logging. The callers retry and log.
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
            // This is the name of the server in the kubeconfig, not of `master` (client-go, `getCluster`).
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

/// Prevents kube from reading `HTTPS_PROXY`, which is set for STS: kube would refuse the kubeconfig if the value is not
/// a URL. `cluster` must not have a proxy of its own. The caller removes the proxy that is set here from kube's
/// configuration.
pub(crate) fn ignore_proxy_environment(cluster: &mut Cluster) {
    cluster.proxy_url = Some("http://localhost/".to_owned());
}

/// Returns the cluster of `context`, or of the current context of the file.
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

/// Describes `error` without the message of the YAML parser, which would quote the file and the secrets in it.
pub(crate) fn problem(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(error) => match error.location() {
            Some(location) => format!("line {} is not valid in a kubeconfig", location.line()),
            None => "it is not valid YAML".to_owned(),
        },
        error => error.to_string(),
    }
}

/// Describes `error` without the output and the environment of a credentials command, which may contain credentials.
fn describe_credentials_error(error: &kube::Error) -> String {
    match error {
        kube::Error::Auth(AuthError::AuthExecRun { out, .. }) => {
            format!("the command in the kubeconfig failed, {}", out.status)
        }
        kube::Error::Auth(AuthError::AuthExecParse(_)) => {
            "the output of the command in the kubeconfig is not an ExecCredential".to_owned()
        }
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
