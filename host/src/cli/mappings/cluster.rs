//! The API server and the credentials for it, chosen as kubectl chooses them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use hyper::Uri;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

use crate::cli::failure::CommandFailure;
use crate::config::{ClusterlessConfig, ConfigMapName};
use crate::kubernetes::client;
use crate::kubernetes::failure::error_chain;

/// How long to wait for an answer of the API server.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

// The options that select the API server. A doc comment would become the help of every command.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Cluster options")]
pub(in crate::cli) struct ClusterArgs {
    /// Kubeconfig; defaults to $KUBECONFIG, then ~/.kube/config, then the cluster that this program runs in
    #[arg(long, value_name = "FILE", global = true)]
    kubeconfig: Option<PathBuf>,

    /// Context in the kubeconfig; defaults to its current context
    #[arg(long, value_name = "NAME", global = true)]
    kubeconfig_context: Option<String>,

    /// URL of the API server; overrides the kubeconfig
    #[arg(long, value_name = "URL", global = true)]
    master_url: Option<String>,
}

// The options that select the ConfigMap.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Cluster options")]
pub(in crate::cli) struct ConfigMapArgs {
    /// Namespace of the ConfigMap; defaults to the one in --config, or kube-system
    #[arg(long, value_name = "NAMESPACE", global = true)]
    namespace: Option<String>,

    /// Name of the ConfigMap; defaults to the one in --config, or alibabacloud-auth
    #[arg(long, value_name = "NAME", global = true)]
    configmap_name: Option<String>,
}

impl ConfigMapArgs {
    /// Returns the name of the ConfigMap.
    pub(in crate::cli) fn name(&self, config: Option<&ClusterlessConfig>) -> ConfigMapName {
        let default = config.map(|config| config.sources.config_map.clone());
        let default = default.unwrap_or_default();
        ConfigMapName {
            namespace: self.namespace.clone().unwrap_or(default.namespace),
            name: self.configmap_name.clone().unwrap_or(default.name),
        }
    }
}

impl ClusterArgs {
    /// Creates a client, which connects when it is first used.
    pub(in crate::cli) async fn client(&self) -> Result<Client, CommandFailure> {
        let mut config = self.config().await?;
        if let Some(url) = &self.master_url {
            config.cluster_url = server_url(url)?;
            // The name in the kubeconfig is that of another server.
            config.tls_server_name = None;
        }
        config.proxy_url = None;
        config.read_timeout = Some(READ_TIMEOUT);
        config.reset_reader_on_write = true;
        Client::try_from(config).map_err(|error| {
            CommandFailure::Failed(format!(
                "cannot use the certificates or credentials for the API server: {}",
                error_chain(&error)
            ))
        })
    }

    async fn config(&self) -> Result<Config, CommandFailure> {
        let file = match &self.kubeconfig {
            Some(path) => Kubeconfig::read_from(path),
            None => match Kubeconfig::read() {
                Err(KubeconfigError::ReadConfig(error, _)) if self.is_inside(&error) => {
                    return Config::incluster().map_err(|error| {
                        CommandFailure::Failed(format!(
                            "cannot connect to the cluster that this program runs in: {error}"
                        ))
                    });
                }
                read => read,
            },
        };
        let mut file = file.map_err(|error| self.unusable(&error))?;
        if let Some(cluster) =
            client::current_cluster(&mut file, self.kubeconfig_context.as_deref())
        {
            if cluster
                .proxy_url
                .as_ref()
                .is_some_and(|url| !url.is_empty())
            {
                return Err(CommandFailure::Failed(
                    "the kubeconfig has a `proxy-url`, which is not supported; set --master-url to an API server that you can reach directly"
                        .to_owned(),
                ));
            }
            client::ignore_proxy_environment(cluster);
        }
        let options = KubeConfigOptions {
            context: self.kubeconfig_context.clone(),
            ..KubeConfigOptions::default()
        };
        let config = Config::from_custom_kubeconfig(file, &options).await;
        config.map_err(|error| self.unusable(&error))
    }

    /// Returns whether there is no kubeconfig and this process runs in a pod.
    fn is_inside(&self, error: &std::io::Error) -> bool {
        error.kind() == std::io::ErrorKind::NotFound
            && self.kubeconfig_context.is_none()
            && Config::incluster().is_ok()
    }

    fn unusable(&self, error: &KubeconfigError) -> CommandFailure {
        let which = match &self.kubeconfig {
            Some(path) => format!("the kubeconfig `{}`", Path::display(path)),
            None => "the kubeconfig in $KUBECONFIG or ~/.kube/config".to_owned(),
        };
        let problem = client::problem(error);
        CommandFailure::Failed(format!(
            "cannot use {which}: {problem}; correct it, or set --kubeconfig to another one"
        ))
    }
}

fn server_url(given: &str) -> Result<Uri, CommandFailure> {
    let url = given.parse::<Uri>().ok();
    url.filter(|url| matches!(url.scheme_str(), Some("https" | "http")) && url.host().is_some())
        .ok_or_else(|| {
            CommandFailure::Usage(format!(
                "`--master-url` is `{given}`; use the URL of the API server, `https://<host>[:<port>]`"
            ))
        })
}
