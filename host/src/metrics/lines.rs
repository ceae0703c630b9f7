//! Metrics of written and lost lines, of the audit file and of the log.

use prometheus::{Error, IntCounter, IntCounterVec, IntGauge, Registry};

use crate::logging;
use crate::metrics::{metric_opts, register};

/// Metrics of the audit file.
#[derive(Clone)]
pub struct AuditMetrics {
    /// Lines that were written.
    pub(crate) written: IntCounter,
    /// Lines that were lost because the queue was full or the file could not be written.
    pub(crate) lost: IntCounter,
    /// 1 while the file cannot be written.
    pub(crate) trouble: IntGauge,
}

impl AuditMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let lines = metric_opts(
            "audit_lines_total",
            "Lines for the audit file: written, or lost because the queue was full or the file could not be written.",
        );
        let trouble = metric_opts(
            "audit_trouble",
            "Whether the last attempt to write the audit file failed (1) or not (0).",
        );
        let lines = register(registry, IntCounterVec::new(lines, &["result"]))?;
        Ok(Self {
            written: lines.with_label_values(&["written"]),
            lost: lines.with_label_values(&["lost"]),
            trouble: register(registry, IntGauge::with_opts(trouble))?,
        })
    }
}

/// Metrics of the log of the whole process.
pub(super) struct LogMetrics {
    lost: IntCounter,
}

impl LogMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let lost = metric_opts(
            "log_lines_lost_total",
            "Log lines that were lost because standard error was not read in time or could not be written.",
        );
        Ok(Self {
            lost: register(registry, IntCounter::with_opts(lost))?,
        })
    }

    /// Updates the counter to the current number of lost lines.
    pub(super) fn refresh(&self) {
        let more = logging::lost_lines().saturating_sub(self.lost.get());
        self.lost.inc_by(more);
    }
}
