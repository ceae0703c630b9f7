//! The metrics of the filter, which are part of Envoy's metrics (`wasmcustom.ack_ram.*`).

use std::time::Duration;

use proxy_wasm::hostcalls::{define_metric, increment_metric, record_metric};
use proxy_wasm::types::{MetricType, Status};

use crate::worker::LogEntry;

/// The IDs of the metrics, which all workers share.
pub(super) struct Stats {
    results: Vec<(&'static str, u32)>,
    calls: u32,
    unanswered: u32,
    latency: u32,
    waiting: u32,
    cached: u32,
}

impl Stats {
    pub(super) fn define() -> Result<Self, Status> {
        let results = LogEntry::RESULTS.into_iter().map(|result| {
            let id = define_metric(MetricType::Counter, &format!("ack_ram.logins.{result}"));
            id.map(|id| (result, id))
        });
        Ok(Self {
            results: results.collect::<Result<_, _>>()?,
            calls: define_metric(MetricType::Counter, "ack_ram.sts.calls")?,
            unanswered: define_metric(MetricType::Counter, "ack_ram.sts.unanswered")?,
            latency: define_metric(MetricType::Histogram, "ack_ram.sts.latency_ms")?,
            waiting: define_metric(MetricType::Gauge, "ack_ram.waiting")?,
            cached: define_metric(MetricType::Gauge, "ack_ram.cached")?,
        })
    }

    pub(super) fn count(&self, result: &str) {
        if let Some((_, id)) = self.results.iter().find(|(name, _)| *name == result) {
            // A failure to count must not fail the request.
            let _ = increment_metric(*id, 1);
        }
    }

    /// Records that a call to STS ended. `elapsed` is the time from
    /// [`CompletedCall`](crate::worker::CompletedCall).
    pub(super) fn record_call(&self, elapsed: Option<Duration>, is_unanswered: bool) {
        let _ = increment_metric(self.calls, 1);
        if is_unanswered {
            let _ = increment_metric(self.unanswered, 1);
        }
        if let Some(elapsed) = elapsed {
            let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
            let _ = record_metric(self.latency, milliseconds);
        }
    }

    /// Records the sizes of this worker. The gauges show the worker that recorded last.
    pub(super) fn record_sizes(&self, waiting: usize, cached: usize) {
        let _ = record_metric(self.waiting, waiting as u64);
        let _ = record_metric(self.cached, cached as u64);
    }
}
