//! The webhook server: its parts, start and shutdown.

mod bodies;
mod certificates;
mod connections;
mod decision_log;
mod decisions;
mod error;
mod ext_authz;
mod health;
mod limits;
pub(crate) mod line_limiter;
pub(crate) mod listeners;
mod memory;
mod services;
mod settings;
mod sources;
mod status;
mod webhook;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::audit::Audit;
use crate::backends;
use crate::backends::live::LiveRules;
use crate::backends::mounted_file::Inputs;
use crate::clock;
use crate::config::Config;
use crate::control::server::ControlSocket;
use crate::exposure::SensitiveFiles;
use crate::metrics::Metrics;
use crate::sts;
use certificates::{Certificates, Tls};
use connections::Connections;
pub use error::ServerError;
use health::Health;
use limits::DescriptorLimits;
use line_limiter::LineLimiter;
pub use listeners::ListenError;
use listeners::Listeners;
use memory::Adjustment;
use services::ServiceBuilder;
use settings::LiveSettings;
use sources::Sources;
use webhook::Webhook;

/// A server that listens but has not accepted connections yet.
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
    /// Loads and opens everything that serving needs, and writes the webhook kubeconfig. `config` was loaded from
    /// `inputs`, which are loaded again when they change.
    ///
    /// # Errors
    /// If the configuration, a certificate or an address is unusable.
    pub async fn start(mut config: Config, inputs: Inputs) -> Result<Self, ServerError> {
        log_warnings(&config, &inputs);
        let rules = Arc::new(LiveRules::new(backends::load(&config), clock::now()));
        let metrics = Metrics::new(Arc::clone(&rules), clock::now).map_err(ServerError::Metrics)?;
        let metrics = Arc::new(metrics);
        let descriptors = DescriptorLimits::for_this_process();
        fit_limits_into_memory(&mut config);
        let settings = LiveSettings::start(
            &config,
            Arc::clone(&rules),
            Arc::clone(&metrics),
            descriptors.sts_calls,
        )
        .map_err(ServerError::Trust)?;
        let Resources {
            certificates,
            tls,
            listeners,
            audit,
            control,
        } = Resources::open(&config, &metrics).await?;
        let authenticator = Arc::clone(settings.authenticator());
        let sources = Sources::start(&mut config, inputs, &rules, &metrics, settings);
        tracing::info!(cluster_id = %config.policy.cluster_id, sts = %config.sts.endpoint, "verifying tokens with STS");
        let lines = Arc::new(LineLimiter::new(audit.clone(), clock::wall_clock));
        let services = ServiceBuilder {
            metrics: &metrics,
            lines: &lines,
        };
        let health = services.health(&rules, &certificates);
        let bounds = services::webhook_bounds(&config, descriptors.connections);
        let health_bounds = services::health_bounds(&config, &bounds);
        let webhook = services.webhook(&mut config, authenticator, audit.clone());
        Ok(Self {
            connections: services.connections(listeners.webhook, Some(tls), bounds, "webhook"),
            health: listeners.health.map(|listener| {
                let connections = services.connections(listener, None, health_bounds, "health");
                (connections, Arc::new(health))
            }),
            address: listeners.address,
            health_address: listeners.health_address,
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

    /// Returns the address of the webhook, with the port that the system chose if the configuration leaves it open.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` resolves, then finishes in-flight requests, unless `stop_now` resolves before that. Each
    /// change of `reload` makes the server reload all files.
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
        tracing::info!("stopping: accepting no new connections, finishing in-flight requests");
        if let Some((_, health)) = &self.health {
            health.readiness.stop();
        }
        tokio::select! {
            // Probes are still answered.
            () = serve_health(self.health.as_mut()) => {}
            ((), ()) = async { tokio::join!(self.connections.finish(), self.sources.finish()) } => {
                tracing::info!("stopped");
            }
            () = stop_now => tracing::warn!("stopped immediately, as requested"),
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

/// The resources that the server opens before it serves.
struct Resources {
    certificates: Arc<Certificates>,
    tls: Tls,
    listeners: Listeners,
    audit: Option<Audit>,
    control: Option<ControlSocket>,
}

impl Resources {
    /// Opens the resources that `config` names, and writes the webhook kubeconfig, which needs the port that the system
    /// chose.
    ///
    /// # Errors
    /// If a resource cannot be opened, except the control socket, without which the server can run.
    async fn open(config: &Config, metrics: &Metrics) -> Result<Self, ServerError> {
        let mut certificates = Certificates::load(config, clock::now, &metrics.certificates)
            .map_err(ServerError::Certificate)?;
        let listeners = Listeners::bind(&config.listen).await?;
        if let Some(path) = &config.generate_kubeconfig {
            certificates.write_kubeconfig(path, config.listen.url(listeners.address.port()))?;
        }
        let audit = start_audit(config, metrics)?;
        certificates.log_warnings();
        let tls = certificates.tls().map_err(ServerError::Certificate)?;
        let control = ControlSocket::listen(&config.state_dir)
            .map_err(|error| tracing::warn!("{error}"))
            .ok();
        Ok(Self {
            certificates: Arc::new(certificates),
            tls,
            listeners,
            audit,
            control,
        })
    }
}

/// Logs warnings about the configuration, the files and the environment.
fn log_warnings(config: &Config, inputs: &Inputs) {
    for warning in &config.warnings {
        tracing::warn!("{}", warning.warning_text());
    }
    for exposure in SensitiveFiles::from_config(config, inputs.file.as_deref()).exposures() {
        // No setting names the configuration file.
        let setting = Some(exposure.setting).filter(|setting| !setting.is_empty());
        tracing::warn!(setting, "{}", exposure.text);
    }
    for warning in sts::environment_warnings(&config.sts) {
        tracing::warn!("environment: {warning}");
    }
}

/// Lowers limits that do not fit into the memory of the control group of this process.
fn fit_limits_into_memory(config: &mut Config) {
    if let Some(memory) = memory::limit_of_this_process() {
        let max_head = Webhook::largest_head(config.ext_authz.is_some());
        let adjustments = memory::fit(&mut config.limits, max_head, memory);
        adjustments.iter().for_each(Adjustment::log);
    }
}

fn start_audit(config: &Config, metrics: &Metrics) -> Result<Option<Audit>, ServerError> {
    let file = config.audit_file.clone();
    let audit = file.map(|path| Audit::start(path, &metrics.audit));
    audit.transpose().map_err(ServerError::Audit)
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

/// Reloads all files each time that `requests` changes.
async fn reload_whenever(
    mut requests: watch::Receiver<u32>,
    sources: &Sources,
    certificates: &Arc<Certificates>,
) {
    while requests.changed().await.is_ok() {
        tracing::info!("reloading all files, as requested");
        let certificates = Arc::clone(certificates);
        let reload = tokio::task::spawn_blocking(move || certificates.reload());
        if let Err(error) = reload.await {
            tracing::error!("cannot reload the server's certificate: {error}");
        }
        sources.reload().await;
    }
    // The sender is dropped, so no further reload can be requested.
    std::future::pending().await
}
