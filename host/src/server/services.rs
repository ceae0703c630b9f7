//! Builds the services of the two ports of the server, and their connections.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::net::TcpListener;

use crate::audit::Audit;
use crate::authenticator::Authenticator;
use crate::backends::live::LiveRules;
use crate::config::Config;
use crate::metrics::Metrics;
use crate::server::bodies::BodyReader;
use crate::server::certificates::{Certificates, Tls};
use crate::server::connections::{ConnectionLimits, Connections};
use crate::server::decisions::Decisions;
use crate::server::ext_authz::ExtAuthz;
use crate::server::health::{self, Health, Readiness};
use crate::server::line_limiter::LineLimiter;
use crate::server::webhook::Webhook;

/// Maximum number of simultaneous requests in one HTTP/2 connection to the health port. Probes and scrapers send one at
/// a time, and each response stays in memory until it is read.
const HEALTH_STREAMS: u32 = 8;

/// Builds services that share metrics and the limiter of log lines.
pub(super) struct ServiceBuilder<'a> {
    pub(super) metrics: &'a Arc<Metrics>,
    pub(super) lines: &'a Arc<LineLimiter>,
}

impl ServiceBuilder<'_> {
    /// Builds the webhook. Takes the settings of `/ext-authz` out of `config`.
    pub(super) fn webhook(
        &self,
        config: &mut Config,
        authenticator: Arc<Authenticator>,
        audit: Option<Audit>,
    ) -> Webhook {
        let decisions = Arc::new(Decisions::new(
            authenticator,
            Arc::clone(self.metrics),
            audit,
            Arc::clone(self.lines),
        ));
        let bodies = BodyReader::new(config.limits.max_bodies, config.limits.body_timeout);
        let ext_authz = config.ext_authz.take().map(|settings| {
            let (decisions, metrics) = (Arc::clone(&decisions), Arc::clone(self.metrics));
            ExtAuthz::new(settings, decisions, metrics, Arc::clone(self.lines))
        });
        Webhook::new(
            decisions,
            ext_authz,
            bodies,
            Arc::clone(self.metrics),
            Arc::clone(self.lines),
        )
    }

    /// Builds the service for probes and scrapers.
    pub(super) fn health(
        &self,
        rules: &Arc<LiveRules>,
        certificates: &Arc<Certificates>,
    ) -> Health {
        Health {
            readiness: Readiness {
                rules: Arc::clone(rules),
                certificates: Arc::clone(certificates),
                is_stopping: AtomicBool::new(false),
            },
            metrics: Arc::clone(self.metrics),
            lines: Arc::clone(self.lines),
        }
    }

    /// Builds the connections that `listener` accepts. `port` is the name of the port in metrics.
    pub(super) fn connections(
        &self,
        listener: TcpListener,
        tls: Option<Tls>,
        bounds: ConnectionLimits,
        port: &str,
    ) -> Connections {
        let counts = self.metrics.connections.port(port);
        Connections::new(listener, tls, bounds, counts, Arc::clone(self.lines))
    }
}

/// Returns the limits of connections to the webhook. The process can have at most `max_connections`.
pub(super) fn webhook_bounds(config: &Config, max_connections: usize) -> ConnectionLimits {
    ConnectionLimits {
        connections: config.limits.max_connections.min(max_connections),
        streams: config.limits.max_streams,
        max_head: Webhook::largest_head(config.ext_authz.is_some()),
        header_timeout: config.limits.header_timeout,
        idle_timeout: config.limits.idle_timeout,
    }
}

/// Returns the limits of connections to the health port. `webhook` has the limits of the webhook.
pub(super) fn health_bounds(config: &Config, webhook: &ConnectionLimits) -> ConnectionLimits {
    ConnectionLimits {
        connections: config.limits.max_health_connections,
        streams: webhook.streams.min(HEALTH_STREAMS),
        max_head: health::MAX_HEAD,
        ..*webhook
    }
}
