//! Metrics of logins.

use std::time::{Duration, Instant};

use ack_ram_core::decision::Outcome;
use prometheus::{Error, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, Registry};

use crate::metrics::{metric_opts, register};

/// Result label of a request that is not a valid review. The other values come from
/// [`ack_ram_core::decision::Decision::metric_result`].
pub const MALFORMED_REQUEST: &str = "malformed_request";

/// The Go version's values of the label `result`, misspelling included.
const RESULTS: [&str; 5] = [
    MALFORMED_REQUEST,
    "invalid_token",
    "sts_error",
    "uknown_user",
    "success",
];

/// Metrics of logins.
pub struct LoginMetrics {
    latency: HistogramVec,
    /// Latency for each of [`RESULTS`], resolved in advance so that a login looks up no label.
    by_result: [(&'static str, Histogram); 5],
    in_flight: IntGauge,
    granted: IntCounter,
    denied: IntCounter,
    unable: IntCounter,
    not_ours: IntCounter,
}

impl LoginMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let latency = metric_opts("authenticate_latency_seconds", "Authenticate call latency");
        let in_flight = metric_opts(
            "authentications_in_flight",
            "Requests to /authenticate and /ext-authz in flight.",
        );
        let decisions = metric_opts(
            "decisions_total",
            "Decisions about tokens: granted, denied, unable (no decision was possible, answered with HTTP 503), not_ours (a token of another type).",
        );
        let decisions = register(registry, IntCounterVec::new(decisions, &["decision"]))?;
        let decided = |decision| decisions.with_label_values(&[decision]);
        // The Go version uses the default buckets of its library, which equal those of this library.
        let latency = register(registry, HistogramVec::new(latency.into(), &["result"]))?;
        Ok(Self {
            by_result: RESULTS.map(|result| (result, latency.with_label_values(&[result]))),
            latency,
            in_flight: register(registry, IntGauge::with_opts(in_flight))?,
            granted: decided("granted"),
            denied: decided("denied"),
            unable: decided("unable"),
            not_ours: decided("not_ours"),
        })
    }

    /// Counts a decision about a token.
    pub fn count_decision(&self, outcome: &Outcome) {
        let count = match outcome {
            Outcome::Granted(_) => &self.granted,
            Outcome::Denied(_) => &self.denied,
            Outcome::Unavailable(_) => &self.unable,
            Outcome::UnrecognizedToken => &self.not_ours,
        };
        count.inc();
    }

    /// Starts to time a request to `/authenticate` or `/ext-authz`.
    pub fn begin(&self) -> LoginTimer<'_> {
        self.in_flight.inc();
        LoginTimer {
            logins: self,
            started: Instant::now(),
        }
    }
}

/// Times a request to `/authenticate` or `/ext-authz`. Drop the timer of an abandoned request without ending it.
#[must_use]
pub struct LoginTimer<'a> {
    logins: &'a LoginMetrics,
    started: Instant,
}

impl LoginTimer<'_> {
    /// Returns the time since the request began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Ends the request with the result [`MALFORMED_REQUEST`], or with the `metric_result` of a decision.
    pub fn end(self, result: &str) {
        let seconds = self.elapsed().as_secs_f64();
        let mut known = self.logins.by_result.iter();
        match known.find(|(known, _)| *known == result) {
            Some((_, latency)) => latency.observe(seconds),
            None => self
                .logins
                .latency
                .with_label_values(&[result])
                .observe(seconds),
        }
    }
}

impl Drop for LoginTimer<'_> {
    fn drop(&mut self) {
        self.logins.in_flight.dec();
    }
}
