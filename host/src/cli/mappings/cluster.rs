//! Which API server is asked, and as whom: as kubectl does.

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

/// How long the API server may take for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

// Which API server is asked. (A doc comment would become the help of every command.)
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Cluster options")]
pub(in crate::cli) struct ClusterArgs {
    /// The kubeconfig; without it $KUBECONFIG, then ~/.kube/config, then the cluster that this runs in
    #[arg(long, value_name = "FILE", global = true)]
    kubeconfig: Option<PathBuf>,

    /// The context of the kubeconfig, in place of its current one
    #[arg(long, value_name = "NAME", global = true)]
    kubeconfig_context: Option<String>,

    /// The URL of the API server, in place of the kubeconfig's
    #[arg(long, value_name = "URL", global = true)]
    master_url: Option<String>,
}

// Which ConfigMap.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Cluster options")]
pub(in crate::cli) struct ConfigMapArgs {
    /// The namespace of the ConfigMap; without it that of --config, else kube-system
    #[arg(long, value_name = "NAMESPACE", global = true)]
    namespace: Option<String>,

    /// The name of the ConfigMap; without it that of --config, else alibabacloud-auth
    #[arg(long, value_name = "NAME", global = true)]
    configmap_name: Option<String>,
}

impl ConfigMapArgs {
    /// The ConfigMap that is meant.
    pub(in crate::cli) fn name(&self, config: Option<&ClusterlessConfig>) -> ConfigMapName {
        let standard = config.map(|config| config.sources.config_map.clone());
        let standard = standard.unwrap_or_default();
        ConfigMapName {
            namespace: self.namespace.clone().unwrap_or(standard.namespace),
            name: self.configmap_name.clone().unwrap_or(standard.name),
        }
    }
}

impl ClusterArgs {
    /// A client; it connects when it is first used.
    pub(in crate::cli) async fn client(&self) -> Result<Client, CommandFailure> {
        let mut config = self.config().await?;
        if let Some(url) = &self.master_url {
            config.cluster_url = server_url(url)?;
            // It is the name of the other server.
            config.tls_server_name = None;
        }
        config.proxy_url = None;
        config.read_timeout = Some(ANSWER_WITHIN);
        config.reset_reader_on_write = true;
        Client::try_from(config).map_err(|error| {
            CommandFailure::Failed(format!(
                "the certificates or credentials for the API server cannot be used: {}",
                error_chain(&error)
            ))
        })
    }

    async fn config(&self) -> Result<Config, CommandFailure> {
        let file = match &self.kubeconfig {
            Some(path) => Kubeconfig::read_from(path),
            None => match Kubeconfig::read() {
                // An empty one, where there is none at all.
                Err(KubeconfigError::ReadConfig(error, _)) if self.is_inside(&error) => {
                    return Config::incluster().map_err(|error| {
                        CommandFailure::Failed(format!(
                            "the cluster around this process cannot be asked: {error}"
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
                    "the kubeconfig has a `proxy-url`, which is not supported; name an API server that is reached directly in --master-url"
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

    /// Whether there is no kubeconfig, and this is a pod.
    fn is_inside(&self, error: &std::io::Error) -> bool {
        error.kind() == std::io::ErrorKind::NotFound
            && self.kubeconfig_context.is_none()
            && Config::incluster().is_ok()
    }

    fn unusable(&self, error: &KubeconfigError) -> CommandFailure {
        let which = match &self.kubeconfig {
            Some(path) => format!("the kubeconfig `{}`", Path::display(path)),
            None => "the kubeconfig of $KUBECONFIG or ~/.kube/config".to_owned(),
        };
        let problem = client::problem(error);
        CommandFailure::Failed(format!(
            "{which} cannot be used: {problem}; correct it, or name another in --kubeconfig"
        ))
    }
}

fn server_url(given: &str) -> Result<Uri, CommandFailure> {
    let url = given.parse::<Uri>().ok();
    url.filter(|url| matches!(url.scheme_str(), Some("https" | "http")) && url.host().is_some())
        .ok_or_else(|| {
            CommandFailure::Usage(format!(
                "`--master-url` is `{given}`; write the URL of the API server, `https://<host>[:<port>]`"
            ))
        })
}
