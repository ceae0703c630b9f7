//! The metrics that a Prometheus server scrapes from `/metrics`.
//!
//! Metrics that the Go version has keep their names, labels and buckets; `METRICS.md` lists all metrics. There is no
//! `go_*`, because those describe the Go runtime. Labels hold names of backends, results, HTTP statuses, endpoints and
//! hashes, but never an identity, a user or an object.
//!
//! This module uses the crate `prometheus` because it writes the text format 0.0.4, which Go's server writes and every
//! scraper reads. `prometheus-client` writes only OpenMetrics, where `# TYPE` names a counter without its `_total`.

mod certificates;
mod connections;
mod ext_authz;
mod lines;
mod logins;
#[cfg(target_os = "linux")]
mod process;
mod rules;
mod sources;
mod sts;

use std::sync::Arc;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{Error, IntGaugeVec, Opts, Registry, TextEncoder};
use thiserror::Error;
use tokio::sync::{Mutex, Semaphore};

use crate::backends::live::LiveRules;
use crate::clock::Clock;
pub use certificates::CertificateMetrics;
pub use connections::ConnectionMetrics;
pub(crate) use connections::{OverloadReason, PortMetrics};
pub use ext_authz::ExtAuthzMetrics;
pub use lines::AuditMetrics;
use lines::LogMetrics;
pub use logins::{LoginMetrics, LoginTimer, MALFORMED_REQUEST};
#[cfg(target_os = "linux")]
use process::ProcessGauges;
use rules::RuleGauges;
pub use sources::SourceMetrics;
pub(crate) use sts::CallTimer;
pub(crate) use sts::{CacheMetrics, QueueMetrics};
pub use sts::{EndpointMetrics, StsMetrics};

/// Content type of the output of [`Metrics::text`] (Prometheus exposition formats, text format 0.0.4).
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Maximum number of scrapes in flight, waiting ones included. A usual setup has one or two scrapers.
const MAX_SCRAPES: usize = 8;
/// Maximum time that a scrape waits for others. A usual scraper has given up by then.
const SCRAPE_DEADLINE: Duration = Duration::from_secs(10);

const NAMESPACE: &str = "ack_ram_authenticator";

/// The metrics of one server.
pub struct Metrics {
    /// Logins.
    pub logins: LoginMetrics,
    /// Certificates of the server and of its clients.
    pub certificates: CertificateMetrics,
    /// Calls to STS.
    pub sts: StsMetrics,
    /// Sources of mappings.
    pub sources: SourceMetrics,
    /// Connections and rejected requests.
    pub connections: ConnectionMetrics,
    /// Answers to proxies.
    pub ext_authz: ExtAuthzMetrics,
    /// Lines of the audit file.
    pub audit: AuditMetrics,
    registry: Registry,
    /// Held during a scrape: one scrape runs at a time.
    scrape: Arc<Mutex<ScrapeState>>,
    /// One permit for each scrape in flight.
    scrapes: Semaphore,
}

/// The gauges that are computed at each scrape.
struct ScrapeState {
    rules: RuleGauges,
    log: LogMetrics,
    #[cfg(target_os = "linux")]
    process: ProcessGauges,
}

impl Metrics {
    /// Creates all metrics, with counters at zero. The gauges of rules describe `rules` at the time that `clock`
    /// returns.
    ///
    /// # Errors
    /// If two metrics have the same name, or a name is invalid. The names in this module are distinct and valid.
    pub fn new(rules: Arc<LiveRules>, clock: Clock) -> Result<Self, Error> {
        let registry = Registry::new();
        let build = metric_opts(
            "build_info",
            "Always 1. The label is the version of the program.",
        );
        let build = register(&registry, IntGaugeVec::new(build, &["version"]))?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let scrape = ScrapeState {
            rules: RuleGauges::new(&registry, rules, clock)?,
            log: LogMetrics::new(&registry)?,
            #[cfg(target_os = "linux")]
            process: ProcessGauges::new(&registry)?,
        };
        Ok(Self {
            logins: LoginMetrics::new(&registry)?,
            certificates: CertificateMetrics::new(&registry)?,
            sts: StsMetrics::new(&registry)?,
            sources: SourceMetrics::new(&registry)?,
            connections: ConnectionMetrics::new(&registry)?,
            ext_authz: ExtAuthzMetrics::new(&registry)?,
            audit: AuditMetrics::new(&registry)?,
            scrape: Arc::new(Mutex::new(scrape)),
            scrapes: Semaphore::new(MAX_SCRAPES),
            registry,
        })
    }

    /// Returns all metrics in the format of [`CONTENT_TYPE`].
    ///
    /// # Errors
    /// If too many scrapes are in flight, or the metrics cannot be encoded.
    pub async fn text(&self) -> Result<String, MetricsError> {
        let _turn = self
            .scrapes
            .try_acquire()
            .map_err(|_| MetricsError::TooManyScrapes)?;
        let scrape = Arc::clone(&self.scrape).lock_owned();
        let scrape = tokio::time::timeout(SCRAPE_DEADLINE, scrape).await;
        let mut scrape = scrape.map_err(|_| MetricsError::TooManyScrapes)?;
        let registry = self.registry.clone();
        // A scrape of a hundred thousand rules takes milliseconds and must not delay logins.
        let written = tokio::task::spawn_blocking(move || {
            scrape.rules.refresh();
            scrape.log.refresh();
            #[cfg(target_os = "linux")]
            scrape.process.refresh();
            TextEncoder::new().encode_to_string(&registry.gather())
        });
        written
            .await
            .unwrap_or_else(|error| Err(Error::Msg(error.to_string())))
            .map_err(MetricsError::EncodeFailed)
    }
}

/// The reason why a scrape failed.
#[derive(Debug, Error)]
pub enum MetricsError {
    /// Too many scrapes are in flight.
    #[error("too many scrapes of the metrics at the same time; try again later")]
    TooManyScrapes,
    /// The metrics cannot be encoded.
    #[error("cannot encode the metrics: {0}")]
    EncodeFailed(Error),
}

/// Returns the options of the metric `name`, under the prefix of this program.
fn metric_opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace(NAMESPACE)
}

fn register<M: Collector + Clone + 'static>(
    registry: &Registry,
    metric: Result<M, Error>,
) -> Result<M, Error> {
    let metric = metric?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

#[cfg(test)]
mod tests;
