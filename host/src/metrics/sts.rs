//! Metrics of calls to STS, of the queue for them, and of the identity cache.

use std::time::Instant;

use hyper::StatusCode;
use prometheus::{
    Error, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry,
};

use crate::metrics::{metric_opts, register};
use crate::sts::StsResponse;

/// Metrics of calls to STS, of the queue for them, and of the identity cache.
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

/// Metrics of the queue for STS calls.
#[derive(Clone)]
pub(crate) struct QueueMetrics {
    /// Logins that wait now.
    pub(crate) waiting: IntGauge,
    /// Logins that were refused because the queue was full or they waited in it for too long.
    pub(crate) refused: IntCounter,
}

/// Metrics of one cache.
pub(crate) struct CacheMetrics {
    /// Number of entries.
    pub(crate) entries: IntGauge,
    /// Entries that were evicted to make room for others.
    pub(crate) evictions: IntCounter,
}

impl StsMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let latency = metric_opts(
            "sts_latency_seconds",
            "Duration of calls to STS, failed calls included.",
        );
        let failures = metric_opts(
            "sts_connection_failures_total",
            "Sts call could not succeed or timedout",
        );
        let responses = metric_opts("sts_responses_total", "Sts responses with error code label");
        let in_flight = metric_opts("sts_calls_in_flight", "Calls to STS in flight.");
        let retries = metric_opts(
            "sts_retries_total",
            "Calls to STS that were retried because the connection failed.",
        );
        let fallbacks = metric_opts(
            "sts_fallbacks_total",
            "Calls that went to this endpoint because the endpoints before it failed.",
        );
        let breakers = metric_opts(
            "sts_breaker_state",
            "State of the circuit breaker of the endpoint: 0 closed, 1 half-open (a probe is in flight), 2 open.",
        );
        let waiting = metric_opts(
            "sts_queue_waiting",
            "Logins that wait in the queue for an STS call.",
        );
        let refused = metric_opts(
            "sts_queue_refused_total",
            "Logins that could not be decided because the queue for STS calls was full, or because they waited in the queue for too long.",
        );
        let lookups = metric_opts(
            "identity_lookups_total",
            "Tokens by source of STS's answer: the cache (hit), a new call (miss), or an in-flight call for an equal token (shared).",
        );
        let entries = metric_opts(
            "identity_cache_entries",
            "Entries of the cache, by kind: identities that were granted a login (identity), other identities (unproven_identity), and refusals by STS (refusal).",
        );
        let evictions = metric_opts(
            "identity_cache_evictions_total",
            "Entries that were evicted from the cache to make room for others, by kind.",
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
    /// Same as [`crate::metrics::Metrics::new`], which does not fail in practice.
    pub fn disabled() -> Result<Self, Error> {
        Self::new(&Registry::new())
    }

    /// Returns the counters of the calls to `endpoint`, a host with an optional port.
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

    /// Removes the series of all breakers. [`Self::endpoint`] adds the series of an endpoint again.
    pub(crate) fn forget_breakers(&self) {
        self.breakers.reset();
    }

    /// Returns the metrics of the queue for STS calls.
    pub(crate) fn queue(&self) -> &QueueMetrics {
        &self.queue
    }

    /// Returns the counter of the tokens whose answer came from `source`, a value of the label `result`.
    pub(crate) fn lookups(&self, source: &str) -> IntCounter {
        self.lookups.with_label_values(&[source])
    }

    /// Returns the metrics of the cache of this `kind`.
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
    /// Calls that were retried.
    pub(crate) retries: IntCounter,
    /// Calls that came to this endpoint because an endpoint before it failed.
    pub(crate) fallbacks: IntCounter,
    /// State of the circuit breaker.
    pub(crate) breaker: IntGauge,
}

impl EndpointMetrics {
    /// Starts to time a call.
    pub(crate) fn begin(&self) -> CallTimer<'_> {
        self.counters.in_flight.inc();
        CallTimer {
            calls: self,
            started: Instant::now(),
        }
    }
}

/// Times an in-flight call. Drop the timer of an abandoned call without ending it.
#[must_use]
pub(crate) struct CallTimer<'a> {
    calls: &'a EndpointMetrics,
    started: Instant,
}

impl CallTimer<'_> {
    /// Ends the call and counts its result.
    pub(crate) fn end(self, answer: &StsResponse) {
        let EndpointMetrics {
            latency, counters, ..
        } = self.calls;
        latency.observe(self.started.elapsed().as_secs_f64());
        match answer {
            StsResponse::Response { status, .. } | StsResponse::TooLarge { status } => {
                // A number that is not a status did not come from an HTTP response.
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
