//! The audit file: a JSON object in a line of its own for each decision that is about somebody.
//!
//! Nothing here decides or delays anything: what cannot be written is counted, told once in the log, and gone.

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

/// How long the end of the server waits for the disk.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Writes decisions to the audit file.
#[derive(Clone)]
pub(crate) struct Audit {
    lines: LineWriter,
    lost: IntCounter,
}

impl Audit {
    /// Will append to the file at `path`, which is made when it is not there. A file that cannot be opened is told in
    /// the log and in `metrics`, and tried again with each decision.
    ///
    /// # Errors
    /// When there can be no thread.
    pub(crate) fn start(path: PathBuf, metrics: &AuditMetrics) -> io::Result<Self> {
        Ok(Self {
            lines: LineWriter::start("audit", AuditFile::new(path, metrics.clone()))?,
            lost: metrics.lost.clone(),
        })
    }

    /// Writes what was decided, and how long it `took`. What is not our token is left out: it is about nobody.
    pub(crate) fn record(&self, decided: &DecisionRecord, took: Duration) {
        let Some(record) = AuditRecord::from_decision(decided, took, clock::wall_clock()) else {
            return;
        };
        self.push(&record::to_line(&record));
    }

    /// Writes how many more decisions there were in a second, if `summary` is about decisions.
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

    /// Waits a moment for what is not written yet.
    pub(crate) fn finish(&self) {
        self.lines.finish(FLUSH_TIMEOUT);
    }
}
