//! Metrics of connections and of rejected requests.

use prometheus::{Error, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};

use crate::metrics::{metric_opts, register};

/// Metrics of connections, by port, and of rejected requests.
pub struct ConnectionMetrics {
    open: IntGaugeVec,
    evicted: IntCounterVec,
    panics: IntCounterVec,
    floods: IntCounterVec,
    large_heads: IntCounterVec,
    shed: [(OverloadReason, IntCounter); 3],
}

/// Counts the connections to one port.
#[derive(Clone)]
pub(crate) struct PortMetrics {
    /// Open connections.
    pub(crate) open: IntGauge,
    /// Connections that were closed to make room for others.
    pub(crate) evicted: IntCounter,
    /// Requests whose handler panicked.
    pub(crate) panics: IntCounter,
    /// Connections that were closed because the client sent too much that starts no request.
    pub(crate) floods: IntCounter,
    /// Requests that were refused because their heads were too large.
    pub(crate) large_heads: IntCounter,
}

/// The resource whose limit caused a request to be rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OverloadReason {
    /// Request bodies in transit.
    Bodies,
    /// Logins that wait for STS.
    Sts,
    /// Scrapes of the metrics.
    Scrapes,
}

impl OverloadReason {
    const ALL: [Self; 3] = [Self::Bodies, Self::Sts, Self::Scrapes];

    fn label(self) -> &'static str {
        match self {
            Self::Bodies => "bodies",
            Self::Sts => "sts",
            Self::Scrapes => "scrapes",
        }
    }
}

impl ConnectionMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let open = metric_opts("connections", "Open connections, by port.");
        let evicted = metric_opts(
            "connections_evicted_total",
            "Connections that were closed to make room for others, by port.",
        );
        let panics = metric_opts(
            "requests_panicked_total",
            "Requests that were answered with HTTP 503 because the handler panicked, by port. Each is a defect of the program.",
        );
        let floods = metric_opts(
            "connections_flooding_total",
            "Connections that the server closed because the client sent too many frames, or too small pieces, that start no request, by port.",
        );
        let large_heads = metric_opts(
            "requests_head_too_large_total",
            "Requests that were answered with HTTP 431 because the URL and the headers were too large, by port. HTTP/2 requests far beyond the limit are not counted.",
        );
        let shed = metric_opts(
            "requests_shed_total",
            "Requests that were answered with HTTP 503 because a limit was reached, by limit: request bodies in transit (bodies), logins that wait for STS (sts), scrapes of the metrics (scrapes).",
        );
        let shed = register(registry, IntCounterVec::new(shed, &["reason"]))?;
        Ok(Self {
            open: register(registry, IntGaugeVec::new(open, &["port"]))?,
            evicted: register(registry, IntCounterVec::new(evicted, &["port"]))?,
            panics: register(registry, IntCounterVec::new(panics, &["port"]))?,
            floods: register(registry, IntCounterVec::new(floods, &["port"]))?,
            large_heads: register(registry, IntCounterVec::new(large_heads, &["port"]))?,
            shed: OverloadReason::ALL
                .map(|reason| (reason, shed.with_label_values(&[reason.label()]))),
        })
    }

    /// Returns the counters of the connections to the port named `port`.
    pub(crate) fn port(&self, port: &str) -> PortMetrics {
        let labels = &[port];
        PortMetrics {
            open: self.open.with_label_values(labels),
            evicted: self.evicted.with_label_values(labels),
            panics: self.panics.with_label_values(labels),
            floods: self.floods.with_label_values(labels),
            large_heads: self.large_heads.with_label_values(labels),
        }
    }

    /// Counts a request that was rejected under overload.
    pub(crate) fn count_overload(&self, reason: OverloadReason) {
        if let Some((_, counter)) = self.shed.iter().find(|(known, _)| *known == reason) {
            counter.inc();
        }
    }
}
