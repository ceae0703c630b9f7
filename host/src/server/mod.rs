//! The webhook server: what it is made of, how it starts and how it stops.

mod bodies;
mod certificates;
mod connections;
pub(crate) mod control;
mod decision_log;
mod decisions;
mod ext_authz;
mod health;
mod limits;
pub(crate) mod line_limiter;
pub(crate) mod listeners;
mod memory;
mod settings;
mod sources;
mod status;
mod webhook;

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::audit::Audit;
use crate::backends;
use crate::backends::live::LiveRules;
use crate::backends::mounted_file::Inputs;
use crate::certs::CertificateError;
use crate::config::Config;
use crate::env;
use crate::exposure::SensitiveFiles;
use crate::kubeconfig::KubeconfigError;
use crate::metrics::Metrics;
use crate::sts::{self, StsTrustError};
use bodies::BodyReader;
use certificates::Certificates;
use connections::{ConnectionLimits, Connections};
use control::ControlSocket;
use decisions::Decisions;
use ext_authz::ExtAuthz;
use health::{Health, Readiness};
use limits::DescriptorLimits;
use line_limiter::LineLimiter;
pub use listeners::ListenError;
use listeners::{listen_for_health, listen_for_webhook};
use memory::Adjustment;
use settings::LiveSettings;
use sources::Sources;
use webhook::Webhook;

/// Requests at once in one connection of HTTP/2 to the health port. Probes and scrapers send one; each answer stays in
/// memory until it is read.
const HEALTH_STREAMS: u32 = 8;

/// A server that listens, and has not yet accepted anything.
pub struct Server {
    connections: Connections,
    health: Option<(Connections, Arc<Health>)>,
    address: SocketAddr,
    health_address: Option<SocketAddr>,
    webhook: Arc<Webhook>,
    audit: Option<Audit>,
    lines: Arc<LineLimiter>,
    certificates: Arc<Certificates>,
    control: Option<ControlSocket>,
    sources: Sources,
    rules: Arc<LiveRules>,
    stop_timeout: Duration,
}

impl Server {
    /// Reads and opens everything that serving needs, and writes the webhook kubeconfig. `config` was read from
    /// `inputs`, which are read again when they change.
    ///
    /// # Errors
    /// When the server cannot start: a bad configuration, certificate or address.
    pub async fn start(mut config: Config, inputs: Inputs) -> Result<Self, ServerError> {
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        for exposure in SensitiveFiles::from_config(&config, inputs.file.as_deref()).exposures() {
            // The configuration file is named by no setting.
            let setting = Some(exposure.setting).filter(|setting| !setting.is_empty());
            tracing::warn!(setting, "{}", exposure.text);
        }
        for warning in sts::environment_warnings(&config.sts) {
            tracing::warn!("environment: {warning}");
        }
        let rules = Arc::new(LiveRules::new(backends::load(&config), env::now()));
        let metrics = Metrics::new(Arc::clone(&rules), env::now).map_err(ServerError::Metrics)?;
        let metrics = Arc::new(metrics);
        let limits = DescriptorLimits::for_this_process();
        if let Some(memory) = memory::limit_of_this_process() {
            let max_head = Webhook::largest_head(config.ext_authz.is_some());
            let adjustments = memory::fit(&mut config.limits, max_head, memory);
            adjustments.iter().for_each(Adjustment::log);
        }
        let settings = LiveSettings::start(
            &config,
            Arc::clone(&rules),
            Arc::clone(&metrics),
            limits.sts_calls,
        )
        .map_err(ServerError::Trust)?;
        let mut certificates = Certificates::load(&config, env::now, &metrics.certificates)
            .map_err(ServerError::Certificate)?;
        let listener = listen_for_webhook(&config.listen)
            .await
            .map_err(ServerError::Listen)?;
        let address = listener.local_addr().map_err(ServerError::Address)?;
        let health = listen_for_health(&config.listen, address.port())
            .await
            .map_err(ServerError::Listen)?;
        let health_address = health.as_ref().map(TcpListener::local_addr);
        let health_address = health_address.transpose().map_err(ServerError::Address)?;
        if let Some(path) = &config.generate_kubeconfig {
            certificates.write_kubeconfig(path, config.listen.url(address.port()))?;
        }
        let audit = match config.audit_file.clone() {
            Some(path) => Some(Audit::start(path, &metrics.audit).map_err(ServerError::Audit)?),
            None => None,
        };
        certificates.log_warnings();
        let tls = certificates.tls().map_err(ServerError::Certificate)?;
        let certificates = Arc::new(certificates);
        let control = ControlSocket::listen(&config.state_dir)
            .map_err(|error| tracing::warn!("{error}"))
            .ok();
        let authenticator = Arc::clone(settings.authenticator());
        let sources = Sources::start(&mut config, inputs, &rules, &metrics, settings);
        tracing::info!(cluster_id = %config.policy.cluster_id, sts = %config.sts.endpoint, "asking STS");
        let lines = Arc::new(LineLimiter::new(audit.clone(), env::wall_clock));
        let answers = Health {
            readiness: Readiness {
                rules: Arc::clone(&rules),
                certificates: Arc::clone(&certificates),
                is_stopping: AtomicBool::new(false),
            },
            metrics: Arc::clone(&metrics),
            lines: Arc::clone(&lines),
        };
        let bounds = ConnectionLimits {
            connections: config.limits.max_connections.min(limits.connections),
            streams: config.limits.max_streams,
            max_head: Webhook::largest_head(config.ext_authz.is_some()),
            header_timeout: config.limits.header_timeout,
            idle_timeout: config.limits.idle_timeout,
        };
        let bodies = BodyReader::new(config.limits.max_bodies, config.limits.body_timeout);
        let counts = metrics.connections.port("webhook");
        let decisions = Arc::new(Decisions::new(
            authenticator,
            Arc::clone(&metrics),
            audit.clone(),
            Arc::clone(&lines),
        ));
        let ext_authz = config.ext_authz.take().map(|settings| {
            let (decisions, metrics) = (Arc::clone(&decisions), Arc::clone(&metrics));
            ExtAuthz::new(settings, decisions, metrics, Arc::clone(&lines))
        });
        let webhook = Webhook::new(
            decisions,
            ext_authz,
            bodies,
            metrics.clone(),
            Arc::clone(&lines),
        );
        Ok(Self {
            connections: Connections::new(listener, Some(tls), bounds, counts, Arc::clone(&lines)),
            health: health.map(|listener| {
                let bounds = ConnectionLimits {
                    connections: config.limits.max_health_connections,
                    streams: bounds.streams.min(HEALTH_STREAMS),
                    max_head: health::MAX_HEAD,
                    ..bounds
                };
                let counts = metrics.connections.port("health");
                let lines = Arc::clone(&lines);
                let connections = Connections::new(listener, None, bounds, counts, lines);
                (connections, Arc::new(answers))
            }),
            address,
            health_address,
            webhook: Arc::new(webhook),
            audit,
            lines,
            certificates,
            control,
            sources,
            rules,
            stop_timeout: config.limits.stop_timeout,
        })
    }

    /// Where it listens; tells the port when the configuration left that to the system.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` resolves, then finishes what is under way, unless `stop_now` resolves before that. Whenever
    /// `changes` counts on, all files are read again.
    pub async fn serve(
        mut self,
        stop: impl Future<Output = ()>,
        stop_now: impl Future<Output = ()>,
        reload: watch::Receiver<u32>,
    ) {
        let health = self
            .health_address
            .map(|address| format!("http://{address}"));
        tracing::info!(health, "listening on https://{}/authenticate", self.address);
        tokio::select! {
            () = self.connections.serve(self.webhook) => {}
            () = serve_health(self.health.as_mut()) => {}
            () = serve_control(self.control.as_ref(), self.rules) => {}
            () = reload_whenever(reload, &self.sources, &self.certificates) => {}
            () = self.certificates.run_maintenance() => {}
            () = self.lines.run() => {}
            () = stop => {}
        }
        tracing::info!("stopping: no new connections, finishing what is under way");
        if let Some((_, health)) = &self.health {
            health.readiness.stop();
        }
        tokio::select! {
            // Probes still have an answer.
            () = serve_health(self.health.as_mut()) => {}
            ((), ()) = async { tokio::join!(self.connections.finish(), self.sources.finish()) } => {
                tracing::info!("stopped");
            }
            () = stop_now => tracing::warn!("stopped at once, as asked"),
            () = tokio::time::sleep(self.stop_timeout) => {
                let after = self.stop_timeout;
                tracing::warn!("stopped; some connections were still open after {after:?}");
            }
        }
        self.lines.finish();
        if let Some(audit) = self.audit {
            audit.finish();
        }
    }
}

async fn serve_health(health: Option<&mut (Connections, Arc<Health>)>) {
    match health {
        Some((connections, health)) => connections.serve(Arc::clone(health)).await,
        None => std::future::pending().await,
    }
}

async fn serve_control(control: Option<&ControlSocket>, rules: Arc<LiveRules>) {
    match control {
        Some(control) => control.serve(rules).await,
        None => std::future::pending().await,
    }
}

/// Reads all files again each time that somebody has asked for it.
async fn reload_whenever(
    mut asked: watch::Receiver<u32>,
    sources: &Sources,
    certificates: &Arc<Certificates>,
) {
    while asked.changed().await.is_ok() {
        tracing::info!("reading all files again, as asked");
        let certificates = Arc::clone(certificates);
        let reload = tokio::task::spawn_blocking(move || certificates.reload());
        if let Err(error) = reload.await {
            tracing::error!("reading the server's certificate failed: {error}");
        }
        sources.reload().await;
    }
    // Nobody can ask any longer.
    std::future::pending().await
}

/// Why the server did not start.
#[derive(Debug)]
pub enum ServerError {
    /// The certificates that prove STS cannot be had.
    Trust(StsTrustError),
    /// Metrics cannot be had.
    Metrics(prometheus::Error),
    /// The server's own certificate cannot be had.
    Certificate(CertificateError),
    /// There can be no thread for the audit file.
    Audit(std::io::Error),
    /// The webhook kubeconfig cannot be written.
    Kubeconfig(KubeconfigError),
    /// The address cannot be listened on.
    Listen(ListenError),
    /// The system does not say where it listens.
    Address(std::io::Error),
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trust(error) => error.fmt(f),
            Self::Metrics(error) => write!(f, "the metrics cannot be set up: {error}"),
            Self::Certificate(error) => error.fmt(f),
            Self::Audit(error) => write!(f, "cannot start the thread of the audit file: {error}"),
            Self::Kubeconfig(error) => error.fmt(f),
            Self::Listen(error) => error.fmt(f),
            Self::Address(error) => write!(f, "cannot tell where the server listens: {error}"),
        }
    }
}

impl std::error::Error for ServerError {}
