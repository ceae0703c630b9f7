//! How STS answers, and what is asked of it.

use std::time::Instant;

use hyper::StatusCode;
use prometheus::{
    Error, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry,
};

use crate::metrics::{metric_opts, register};
use crate::sts::StsResponse;

/// How STS answers, at each of its endpoints, and what is asked of it.
pub struct StsMetrics {
    latency: HistogramVec,
    counters: CallCounters,
    retries: IntCounterVec,
    fallbacks: IntCounterVec,
    breakers: IntGaugeVec,
    queue: QueueMetrics,
    lookups: IntCounterVec,
    cache_entries: IntGaugeVec,
    cache_evictions: IntCounterVec,
}

#[derive(Clone)]
struct CallCounters {
    failures: IntCounter,
    responses: IntCounterVec,
    in_flight: IntGauge,
}

/// The queue before the calls.
#[derive(Clone)]
pub(crate) struct QueueMetrics {
    /// Who waits now.
    pub(crate) waiting: IntGauge,
    /// Those for whom there was no room, or no time.
    pub(crate) refused: IntCounter,
}

/// What one cache holds.
pub(crate) struct CacheMetrics {
    /// How many it holds.
    pub(crate) entries: IntGauge,
    /// Those that made room for others.
    pub(crate) evictions: IntCounter,
}

impl StsMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let latency = metric_opts(
            "sts_latency_seconds",
            "How long calls to STS took, answered or not.",
        );
        let failures = metric_opts(
            "sts_connection_failures_total",
            "Sts call could not succeed or timedout",
        );
        let responses = metric_opts("sts_responses_total", "Sts responses with error code label");
        let in_flight = metric_opts("sts_calls_in_flight", "Calls to STS that are under way.");
        let retries = metric_opts(
            "sts_retries_total",
            "Calls to STS that were sent once more, since the connection failed.",
        );
        let fallbacks = metric_opts(
            "sts_fallbacks_total",
            "Calls that went to this endpoint because those before it failed.",
        );
        let breakers = metric_opts(
            "sts_breaker_state",
            "State of the circuit breaker of the endpoint: 0 closed, 1 half-open (a probe is under way), 2 open.",
        );
        let waiting = metric_opts(
            "sts_queue_waiting",
            "Logins that wait for a place among the calls to STS.",
        );
        let refused = metric_opts(
            "sts_queue_refused_total",
            "Logins that could not be decided because the queue for STS was full, or their turn would have come too late.",
        );
        let lookups = metric_opts(
            "identity_lookups_total",
            "Tokens by where the answer about them came from: the cache (hit), STS (miss), or the call for an equal token that was under way (shared).",
        );
        let entries = metric_opts(
            "identity_cache_entries",
            "What the cache holds: identities that were granted a login, other identities, and refusals by STS.",
        );
        let evictions = metric_opts(
            "identity_cache_evictions_total",
            "What made room in the cache for something else.",
        );
        Ok(Self {
            latency: register(registry, HistogramVec::new(latency.into(), &["endpoint"]))?,
            counters: CallCounters {
                failures: register(registry, IntCounter::with_opts(failures))?,
                responses: register(registry, IntCounterVec::new(responses, &["ResponseCode"]))?,
                in_flight: register(registry, IntGauge::with_opts(in_flight))?,
            },
            retries: register(registry, IntCounterVec::new(retries, &["endpoint"]))?,
            fallbacks: register(registry, IntCounterVec::new(fallbacks, &["endpoint"]))?,
            breakers: register(registry, IntGaugeVec::new(breakers, &["endpoint"]))?,
            queue: QueueMetrics {
                waiting: register(registry, IntGauge::with_opts(waiting))?,
                refused: register(registry, IntCounter::with_opts(refused))?,
            },
            lookups: register(registry, IntCounterVec::new(lookups, &["result"]))?,
            cache_entries: register(registry, IntGaugeVec::new(entries, &["kind"]))?,
            cache_evictions: register(registry, IntCounterVec::new(evictions, &["kind"]))?,
        })
    }

    /// Builds metrics that are never scraped, for a command that calls STS once.
    ///
    /// # Errors
    /// As for [`crate::metrics::Metrics::new`]: never.
    pub fn disabled() -> Result<Self, Error> {
        Self::new(&Registry::new())
    }

    /// What counts the calls to `endpoint`, a host and maybe a port.
    #[must_use]
    pub fn endpoint(&self, endpoint: &str) -> EndpointMetrics {
        let labels = &[endpoint];
        EndpointMetrics {
            latency: self.latency.with_label_values(labels),
            counters: self.counters.clone(),
            retries: self.retries.with_label_values(labels),
            fallbacks: self.fallbacks.with_label_values(labels),
            breaker: self.breakers.with_label_values(labels),
        }
    }

    /// Shows no breaker any longer, until [`Self::endpoint`] is asked for anew.
    pub(crate) fn forget_breakers(&self) {
        self.breakers.reset();
    }

    /// What counts those who wait for a call.
    pub(crate) fn queue(&self) -> &QueueMetrics {
        &self.queue
    }

    /// What counts the answers about tokens that came from `source`.
    pub(crate) fn lookups(&self, source: &str) -> IntCounter {
        self.lookups.with_label_values(&[source])
    }

    /// What counts the contents of the cache of such a `kind`.
    pub(crate) fn cache(&self, kind: &str) -> CacheMetrics {
        CacheMetrics {
            entries: self.cache_entries.with_label_values(&[kind]),
            evictions: self.cache_evictions.with_label_values(&[kind]),
        }
    }
}

/// Counts the calls to one endpoint.
#[derive(Clone)]
pub struct EndpointMetrics {
    latency: Histogram,
    counters: CallCounters,
    /// Calls that were sent once more.
    pub(crate) retries: IntCounter,
    /// Calls that came here because an endpoint before it failed.
    pub(crate) fallbacks: IntCounter,
    /// The state of its breaker.
    pub(crate) breaker: IntGauge,
}

impl EndpointMetrics {
    /// A call begins.
    pub(crate) fn begin(&self) -> CallTimer<'_> {
        self.counters.in_flight.inc();
        CallTimer {
            calls: self,
            started: Instant::now(),
        }
    }
}

/// Times an in-flight call. An abandoned call is just dropped.
#[must_use]
pub(crate) struct CallTimer<'a> {
    calls: &'a EndpointMetrics,
    started: Instant,
}

impl CallTimer<'_> {
    /// What came of it.
    pub(crate) fn end(self, answer: &StsResponse) {
        let EndpointMetrics {
            latency, counters, ..
        } = self.calls;
        latency.observe(self.started.elapsed().as_secs_f64());
        match answer {
            StsResponse::Response { status, .. } | StsResponse::TooLarge { status } => {
                // What is no status came in no HTTP response.
                if let Ok(status) = StatusCode::from_u16(*status) {
                    counters
                        .responses
                        .with_label_values(&[status.as_str()])
                        .inc();
                }
            }
            StsResponse::Unreachable(_) | StsResponse::TimedOut => counters.failures.inc(),
        }
    }
}

impl Drop for CallTimer<'_> {
    fn drop(&mut self) {
        self.calls.counters.in_flight.dec();
    }
}
