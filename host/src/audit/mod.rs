//! The audit file: one line of JSON for each decision about a recognized token.
//!
//! The audit file never changes or delays a decision. A line that cannot be written is lost and counted; the log
//! reports the first failure.

mod file;
mod record;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use prometheus::IntCounter;

use crate::authenticator::DecisionRecord;
use crate::clock;
use crate::line_writer::LineWriter;
use crate::metrics::AuditMetrics;
use crate::server::line_limiter::Summary;
use file::AuditFile;
use record::{AuditRecord, AuditSummary};

/// Maximum time that shutdown waits for unwritten lines.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Writes decisions to the audit file.
#[derive(Clone)]
pub(crate) struct Audit {
    lines: LineWriter,
    lost: IntCounter,
}

impl Audit {
    /// Starts to append to the file at `path`, which is created if it is missing. A file that cannot be opened is reported
    /// in the log and in `metrics`, and opened again with the next line.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub(crate) fn start(path: PathBuf, metrics: &AuditMetrics) -> io::Result<Self> {
        Ok(Self {
            lines: LineWriter::start("audit", AuditFile::new(path, metrics.clone()))?,
            lost: metrics.lost.clone(),
        })
    }

    /// Records a decision and how long it took. Unrecognized tokens have no record.
    pub(crate) fn record(&self, decided: &DecisionRecord, took: Duration) {
        let Some(record) = AuditRecord::from_decision(decided, took, clock::wall_clock()) else {
            return;
        };
        self.push(&record::to_line(&record));
    }

    /// Writes the number of further decisions in a second, if `summary` is about decisions.
    pub(crate) fn summarize(&self, summary: &Summary) {
        if let Some(record) = AuditSummary::from_summary(summary, clock::wall_clock()) {
            self.push(&record::to_line(&record));
        }
    }

    fn push(&self, line: &[u8]) {
        if self.lines.push(line).is_err() {
            self.lost.inc();
        }
    }

    /// Waits up to two seconds until all lines are written.
    pub(crate) fn finish(&self) {
        self.lines.finish(FLUSH_TIMEOUT);
    }
}
