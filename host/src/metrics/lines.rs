//! What becomes of lines that are written: of the audit file, and of the log.

use prometheus::{Error, IntCounter, IntCounterVec, IntGauge, Registry};

use crate::logging;
use crate::metrics::{metric_opts, register};

/// What becomes of lines of the audit file.
#[derive(Clone)]
pub struct AuditMetrics {
    /// Those that are in it.
    pub(crate) written: IntCounter,
    /// Those for which there was no room, or which could not be written.
    pub(crate) lost: IntCounter,
    /// 1 while it cannot be written.
    pub(crate) trouble: IntGauge,
}

impl AuditMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let lines = metric_opts(
            "audit_lines_total",
            "Lines for the audit file by what became of them: written, or lost since there was no room or the file could not be written.",
        );
        let trouble = metric_opts(
            "audit_trouble",
            "Whether the audit file could not be written when it was last tried.",
        );
        let lines = register(registry, IntCounterVec::new(lines, &["result"]))?;
        Ok(Self {
            written: lines.with_label_values(&["written"]),
            lost: lines.with_label_values(&["lost"]),
            trouble: register(registry, IntGauge::with_opts(trouble))?,
        })
    }
}

/// What becomes of lines of the log, which is one for the whole process.
pub(super) struct LogMetrics {
    lost: IntCounter,
}

impl LogMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let lost = metric_opts(
            "log_lines_lost_total",
            "Lines of the log that nobody will read, since standard error was not read or could not be written.",
        );
        Ok(Self {
            lost: register(registry, IntCounter::with_opts(lost))?,
        })
    }

    /// Sets the count to what it is now.
    pub(super) fn refresh(&self) {
        let more = logging::lost_lines().saturating_sub(self.lost.get());
        self.lost.inc_by(more);
    }
}
