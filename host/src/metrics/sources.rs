//! Metrics of the sources of mappings.

use std::collections::BTreeMap;
use std::time::Duration;

use ack_ram_core::rules::Backend;
use parking_lot::Mutex;
use prometheus::{
    Error, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry,
};

use crate::kubernetes::Observation;
use crate::metrics::{metric_opts, register};

/// Buckets in seconds. One change takes effect within milliseconds; ten thousand changes together take a second.
const LAG_BUCKETS: [f64; 13] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0,
];

/// Metrics of the sources of mappings. The readers of the sources update them.
pub struct SourceMetrics {
    lag: HistogramVec,
    reloads: IntCounterVec,
    reloaded: IntGaugeVec,
    hashes: Mutex<BTreeMap<Backend, String>>,
    watch_failures: IntCounterVec,
    config_map_failures: IntCounter,
    status_writes: IntCounterVec,
    is_leading: IntGauge,
}

impl SourceMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let lag = metric_opts(
            "mapping_watch_lag_seconds",
            "Time from reading a change until it takes effect; for changes applied together, from reading the first one.",
        );
        let lag = HistogramOpts::from(lag).buckets(LAG_BUCKETS.to_vec());
        let reloads = metric_opts(
            "reloads_total",
            "Reloads of changed contents, by result: success, or failure (the contents are invalid).",
        );
        let reloaded = metric_opts(
            "reload_info",
            "Always 1. The hash identifies the contents that were loaded last.",
        );
        let watch_failures = metric_opts(
            "mapping_watch_failures_total",
            "Failed lists and watches of mappings, and watches that ended early.",
        );
        let config_map = metric_opts(
            "configmap_watch_failures_total",
            "ACK Configmap watch failures",
        );
        let status_writes = metric_opts(
            "status_writes_total",
            "Writes of object statuses, by result: success or failure.",
        );
        let is_leading = metric_opts(
            "status_writer_leading",
            "Whether this replica is the leader, which writes object statuses (1), or not (0).",
        );
        let counters = |name, labels: &[&str]| register(registry, IntCounterVec::new(name, labels));
        let reload_labels = ["source", "hash"];
        Ok(Self {
            lag: register(registry, HistogramVec::new(lag, &["backend"]))?,
            reloads: counters(reloads, &["source", "result"])?,
            reloaded: register(registry, IntGaugeVec::new(reloaded, &reload_labels))?,
            hashes: Mutex::default(),
            watch_failures: counters(watch_failures, &["backend"])?,
            config_map_failures: register(registry, IntCounter::with_opts(config_map))?,
            status_writes: counters(status_writes, &["result"])?,
            is_leading: register(registry, IntGauge::with_opts(is_leading))?,
        })
    }

    /// Observes the time from reading a change of `backend` to its effect.
    pub fn observe_lag(&self, backend: Backend, after: Duration) {
        let lag = self.lag.with_label_values(&[backend.to_string()]);
        lag.observe(after.as_secs_f64());
    }

    /// Records that the contents of `source` with this hash are in effect.
    pub fn record_reload(&self, source: Backend, hash: &str) {
        self.count_reload(source, "success");
        let name = source.to_string();
        let mut hashes = self.hashes.lock();
        if let Some(before) = hashes.insert(source, hash.to_owned()) {
            // It fails if there is no such series, which is harmless.
            let _ = self.reloaded.remove_label_values(&[&*name, &*before]);
        }
        self.reloaded.with_label_values(&[&*name, hash]).set(1);
    }

    /// Records that `source` is invalid; its previous contents stay in effect.
    pub fn record_reload_failure(&self, source: Backend) {
        self.count_reload(source, "failure");
    }

    /// Counts a failure to read or watch the mappings of `backend`, or an early end of a watch.
    pub fn count_watch_failure(&self, backend: Backend) {
        let failures = self
            .watch_failures
            .with_label_values(&[backend.to_string()]);
        failures.inc();
        if backend == Backend::ConfigMap {
            self.config_map_failures.inc();
        }
    }

    /// Records an observation of the watch of `RAMIdentityMapping` objects, or of the status writer.
    pub fn observe(&self, observation: Observation) {
        match observation {
            Observation::InEffect { after, .. } => self.observe_lag(Backend::Crd, after),
            Observation::Listed => {}
            Observation::WatchFailed => self.count_watch_failure(Backend::Crd),
            Observation::StatusWritten => self.count_status("success"),
            Observation::StatusFailed => self.count_status("failure"),
            Observation::Leading(is_leading) => self.is_leading.set(is_leading.into()),
        }
    }

    fn count_reload(&self, source: Backend, result: &str) {
        let reloads = self
            .reloads
            .with_label_values(&[&*source.to_string(), result]);
        reloads.inc();
    }

    fn count_status(&self, result: &str) {
        self.status_writes.with_label_values(&[result]).inc();
    }
}
