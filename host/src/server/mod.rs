//! The webhook server: what it is made of, how it starts and how it stops.

mod connections;
mod decision_log;
mod health;
mod limits;
mod webhook;

use std::fmt;
use std::future::Future;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::authenticator::{Authenticator, Identifier};
use crate::backends::{self, live::LiveRules};
use crate::certs::{self, CertificateError, ServingCertificate};
use crate::config::Config;
use crate::env;
use crate::kubeconfig::{self, KubeconfigError};
use crate::sts::{StsClient, TrustError};
use connections::Connections;
use health::Health;
use limits::Limits;
use webhook::Webhook;

/// How long requests that are under way may take after the signal to stop. Each ends by its own deadlines before.
const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// A server that listens, and has not yet accepted anything.
pub struct Server {
    connections: Connections,
    health: Option<Connections>,
    address: SocketAddr,
    health_address: Option<SocketAddr>,
    webhook: Arc<Webhook>,
}

impl Server {
    /// Reads and opens everything that serving needs, and writes the webhook kubeconfig.
    ///
    /// # Errors
    /// When the server cannot start: a bad configuration, certificate or address.
    pub async fn start(config: Config) -> Result<Self, ServerError> {
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        let rules = Arc::new(LiveRules::new(backends::load(&config), env::now()));
        let sts = StsClient::new(&config.sts).map_err(ServerError::Trust)?;
        let names = config.listen.names();
        let authority = certs::load_or_create(&config.state_dir, &names, env::now())
            .map_err(ServerError::Certificate)?;
        let tls = ServingCertificate::new(Arc::clone(&authority), &names, env::now)
            .and_then(ServingCertificate::server_config)
            .map_err(ServerError::Certificate)?;
        for warning in authority.warnings(env::now(), &names) {
            tracing::warn!("{warning}");
        }
        let listener = listen(config.listen.address()).await?;
        let health = match config.listen.health_port {
            Some(port) => Some(listen_everywhere(port).await?),
            None => None,
        };
        let limits = Limits::of_this_process();
        let address = listener.local_addr().map_err(ServerError::Address)?;
        let health_address = health.as_ref().map(TcpListener::local_addr);
        let health_address = health_address.transpose().map_err(ServerError::Address)?;
        if let Some(path) = &config.generate_kubeconfig {
            kubeconfig::write(path, &config.listen.url(address.port()), &authority)
                .map_err(ServerError::Kubeconfig)?;
            tracing::info!(path = %path.display(), "the webhook kubeconfig is written");
        }
        tracing::info!(cluster_id = %config.policy.cluster_id, sts = %config.sts.endpoint, "asking STS");
        let tls = TlsAcceptor::from(Arc::new(tls));
        Ok(Self {
            connections: Connections::new(listener, Some(tls), limits.connections),
            health: health
                .map(|listener| Connections::new(listener, None, limits::HEALTH_CONNECTIONS)),
            address,
            health_address,
            webhook: Arc::new(Webhook::new(Authenticator {
                identifier: Identifier::new(config.policy, sts, limits.sts_calls, env::now),
                rules,
            })),
        })
    }

    /// Where it listens; tells the port when the configuration left that to the system.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` resolves, then finishes what is under way, unless `stop_now` resolves before that.
    pub async fn serve(
        mut self,
        stop: impl Future<Output = ()>,
        stop_now: impl Future<Output = ()>,
    ) {
        let health = self
            .health_address
            .map(|address| format!("http://{address}"));
        tracing::info!(health, "listening on https://{}/authenticate", self.address);
        tokio::select! {
            () = self.connections.serve(self.webhook) => {}
            () = serve_health(self.health.as_mut()) => {}
            () = stop => {}
        }
        tracing::info!("stopping: no new connections, finishing what is under way");
        tokio::select! {
            () = self.connections.finish() => tracing::info!("stopped"),
            () = stop_now => tracing::warn!("stopped at once, as asked"),
            () = tokio::time::sleep(STOP_DEADLINE) => {
                tracing::warn!("stopped; some connections were still open after {STOP_DEADLINE:?}");
            }
        }
    }
}

async fn serve_health(health: Option<&mut Connections>) {
    match health {
        Some(connections) => connections.serve(Arc::new(Health)).await,
        None => std::future::pending().await,
    }
}

async fn listen(address: String) -> Result<TcpListener, ServerError> {
    TcpListener::bind(&address)
        .await
        .map_err(|source| ServerError::Listen { address, source })
}

/// Listens on all interfaces, of IPv6 and IPv4 where there is IPv6 at all.
async fn listen_everywhere(port: u16) -> Result<TcpListener, ServerError> {
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Err(error) if error.kind() != ErrorKind::AddrInUse => {
            listen(format!("{}:{port}", Ipv4Addr::UNSPECIFIED)).await
        }
        bound => bound.map_err(|source| ServerError::Listen {
            address: format!("port {port} of all interfaces"),
            source,
        }),
    }
}

/// Why the server did not start.
#[derive(Debug)]
pub enum ServerError {
    /// The certificates that prove STS cannot be had.
    Trust(TrustError),
    /// The server's own certificate cannot be had.
    Certificate(CertificateError),
    /// The webhook kubeconfig cannot be written.
    Kubeconfig(KubeconfigError),
    /// The address cannot be listened on.
    Listen {
        /// Host and port.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The system does not say where it listens.
    Address(std::io::Error),
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trust(error) => error.fmt(f),
            Self::Certificate(error) => error.fmt(f),
            Self::Kubeconfig(error) => error.fmt(f),
            Self::Listen { address, source } => write!(
                f,
                "cannot listen on {address}: {source}; stop what uses the port, or set another one"
            ),
            Self::Address(error) => write!(f, "cannot tell where the server listens: {error}"),
        }
    }
}

impl std::error::Error for ServerError {}
