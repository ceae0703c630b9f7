//! How STS answers.

use std::time::Instant;

use hyper::StatusCode;
use prometheus::{Error, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, Registry};

use crate::metrics::{named, register};
use crate::sts::Answer;

/// How STS answers, at each of its endpoints.
pub struct StsEndpoints {
    latency: HistogramVec,
    counters: Counters,
}

#[derive(Clone)]
struct Counters {
    failures: IntCounter,
    responses: IntCounterVec,
    in_flight: IntGauge,
}

impl StsEndpoints {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let latency = named(
            "sts_latency_seconds",
            "How long calls to STS took, answered or not.",
        );
        let failures = named(
            "sts_connection_failures_total",
            "Sts call could not succeed or timedout",
        );
        let responses = named("sts_responses_total", "Sts responses with error code label");
        let in_flight = named("sts_calls_in_flight", "Calls to STS that are under way.");
        Ok(Self {
            latency: register(registry, HistogramVec::new(latency.into(), &["endpoint"]))?,
            counters: Counters {
                failures: register(registry, IntCounter::with_opts(failures))?,
                responses: register(registry, IntCounterVec::new(responses, &["ResponseCode"]))?,
                in_flight: register(registry, IntGauge::with_opts(in_flight))?,
            },
        })
    }

    /// What counts the calls to `endpoint`, a host and maybe a port.
    #[must_use]
    pub fn endpoint(&self, endpoint: &str) -> StsCalls {
        StsCalls {
            latency: self.latency.with_label_values(&[endpoint]),
            counters: self.counters.clone(),
        }
    }
}

/// Counts the calls to one endpoint.
#[derive(Clone)]
pub struct StsCalls {
    latency: Histogram,
    counters: Counters,
}

impl StsCalls {
    /// A call begins.
    pub(crate) fn begin(&self) -> StsCall<'_> {
        self.counters.in_flight.inc();
        StsCall {
            calls: self,
            started: Instant::now(),
        }
    }
}

/// A call that is under way. One that nobody waits for any longer is just dropped.
#[must_use]
pub(crate) struct StsCall<'a> {
    calls: &'a StsCalls,
    started: Instant,
}

impl StsCall<'_> {
    /// What came of it.
    pub(crate) fn end(self, answer: &Answer) {
        let StsCalls { latency, counters } = self.calls;
        latency.observe(self.started.elapsed().as_secs_f64());
        match answer {
            Answer::Response { status, .. } | Answer::TooLarge { status } => {
                // What is no status came in no HTTP response.
                if let Ok(status) = StatusCode::from_u16(*status) {
                    counters
                        .responses
                        .with_label_values(&[status.as_str()])
                        .inc();
                }
            }
            Answer::Unreachable(_) | Answer::TimedOut => counters.failures.inc(),
        }
    }
}

impl Drop for StsCall<'_> {
    fn drop(&mut self) {
        self.calls.counters.in_flight.dec();
    }
}
