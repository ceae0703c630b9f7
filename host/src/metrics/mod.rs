//! Metrics: what a Prometheus server reads from `/metrics`.
//!
//! Names, labels and buckets that the Go version has are the same here; `METRICS.md` lists all. There is no `go_*`:
//! those speak of Go's runtime. Labels hold names of backends, results, HTTP statuses, endpoints and hashes, and never
//! an identity, a user or an object.
//!
//! The crate is `prometheus`, since it writes the text format 0.0.4 that Go's server speaks and every scraper reads.
//! `prometheus-client` writes OpenMetrics alone, where `# TYPE` names a counter without its `_total`.

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

/// What the body of [`Metrics::text`] is (Prometheus exposition formats, text format 0.0.4).
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How many scrapers may be answered or wait for it. There is one, or two.
const MAX_SCRAPES: usize = 8;
/// A scraper has given up by then.
const SCRAPE_DEADLINE: Duration = Duration::from_secs(10);

const NAMESPACE: &str = "ack_ram_authenticator";

/// The metrics of one server.
pub struct Metrics {
    /// What becomes of reviews.
    pub logins: LoginMetrics,
    /// Certificates, the server's and its clients'.
    pub certificates: CertificateMetrics,
    /// How STS answers.
    pub sts: StsMetrics,
    /// How mappings come in.
    pub sources: SourceMetrics,
    /// What becomes of connections.
    pub connections: ConnectionMetrics,
    /// What proxies are answered.
    pub ext_authz: ExtAuthzMetrics,
    /// What becomes of lines of the audit file.
    pub audit: AuditMetrics,
    registry: Registry,
    /// One scrape at a time.
    scrape: Arc<Mutex<ScrapeState>>,
    /// Those who wait for it.
    scrapes: Semaphore,
}

/// What is looked at when somebody asks.
struct ScrapeState {
    rules: RuleGauges,
    log: LogMetrics,
    #[cfg(target_os = "linux")]
    process: ProcessGauges,
}

impl Metrics {
    /// Counts from zero. The gauges of rules will be about `rules`, at the time that `clock` tells.
    ///
    /// # Errors
    /// When two metrics have one name, or a name is none: never, as they are written here.
    pub fn new(rules: Arc<LiveRules>, clock: Clock) -> Result<Self, Error> {
        let registry = Registry::new();
        let build = metric_opts("build_info", "Always 1; tells which version runs.");
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

    /// All metrics, as [`CONTENT_TYPE`] says.
    ///
    /// # Errors
    /// When too many ask for them, or they cannot be written.
    pub async fn text(&self) -> Result<String, MetricsError> {
        let _turn = self
            .scrapes
            .try_acquire()
            .map_err(|_| MetricsError::TooManyScrapes)?;
        let scrape = Arc::clone(&self.scrape).lock_owned();
        let scrape = tokio::time::timeout(SCRAPE_DEADLINE, scrape).await;
        let mut scrape = scrape.map_err(|_| MetricsError::TooManyScrapes)?;
        let registry = self.registry.clone();
        // A hundred thousand rules take milliseconds, which logins shall not wait for.
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

/// Why there are no metrics now.
#[derive(Debug, Error)]
pub enum MetricsError {
    /// Too many ask for them.
    #[error("too many ask for the metrics at once; ask again")]
    TooManyScrapes,
    /// They cannot be written.
    #[error("the metrics cannot be written: {0}")]
    EncodeFailed(Error),
}

/// A metric of this program.
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
