//! The webhook server: what it is made of, how it starts and how it stops.

mod connections;
mod decision_log;
mod health;
mod webhook;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::authenticator::{Authenticator, Identifier};
use crate::backends;
use crate::certs::{self, CertificateError, ServingCertificate};
use crate::config::Config;
use crate::env;
use crate::kubeconfig::{self, KubeconfigError};
use crate::sts::{StsClient, TrustError};
use ack_ram_core::policy::Policy;
use connections::Connections;
use webhook::Webhook;

/// How long requests that are under way may take after the signal to stop. Each ends by its own deadlines before.
const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// Serves until `stop` resolves, then finishes what is under way.
///
/// # Errors
/// When the server cannot start: a bad configuration, certificate or address.
pub async fn run(config: Config, stop: impl Future<Output = ()>) -> Result<(), ServerError> {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let rules = backends::load(&config);
    let sts = StsClient::new(&config.sts).map_err(ServerError::Trust)?;
    let authority = certs::load_or_create(&config.state_dir, &config.listen.names())
        .map_err(ServerError::Certificate)?;
    let certificate = ServingCertificate::new(&authority, config.listen.names(), env::now)
        .map_err(ServerError::Certificate)?;
    let listener = listen(config.listen.address()).await?;
    let health = match config.listen.health_address() {
        Some(address) => Some(listen(address.to_string()).await?),
        None => None,
    };
    let address = listener.local_addr().map_err(ServerError::Address)?;
    if let Some(path) = &config.generate_kubeconfig {
        kubeconfig::write(path, config.listen.url(address.port()), &authority)
            .map_err(ServerError::Kubeconfig)?;
        tracing::info!(path = %path.display(), "wrote the webhook kubeconfig");
    }

    let webhook = Arc::new(Webhook::new(Authenticator {
        identifier: Identifier {
            policy: Policy::new(config.cluster_id.clone()),
            sts,
            clock: env::now,
        },
        rules,
    }));
    let tls = TlsAcceptor::from(Arc::new(certificate.server_config()));
    tracing::info!(
        %address,
        cluster_id = %config.cluster_id,
        sts = %config.sts.endpoint,
        "listening on https://{address}/authenticate"
    );

    let mut connections = Connections::new();
    tokio::pin!(stop);
    tokio::select! {
        () = connections.accept_tls(listener, tls, webhook) => {}
        () = health::serve(health) => {}
        () = &mut stop => {}
    }
    tracing::info!("stopping: no new connections, finishing what is under way");
    if connections.finish(STOP_DEADLINE).await {
        tracing::info!("stopped");
    } else {
        tracing::warn!("stopped; some connections were still open after {STOP_DEADLINE:?}");
    }
    Ok(())
}

async fn listen(address: String) -> Result<TcpListener, ServerError> {
    TcpListener::bind(&address)
        .await
        .map_err(|source| ServerError::Listen { address, source })
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
