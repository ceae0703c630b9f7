//! The audit file, which may be rotated at any time.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use crate::files::PRIVATE;
use crate::line_writer::{self, LineSink};
use crate::metrics::AuditMetrics;

/// A file to which lines are appended.
///
/// Its path is checked before each write. After the file was moved away or deleted, as logrotate does, the next line
/// goes to a new file at the same path.
pub(super) struct AuditFile {
    path: PathBuf,
    metrics: AuditMetrics,
    file: Option<File>,
    /// Whether the file ends in the middle of a line.
    is_torn: bool,
    has_trouble: bool,
}

impl LineSink for AuditFile {
    fn open(&mut self) {
        let opened = self.reopen();
        self.log_trouble(opened.err());
    }

    fn write(&mut self, lines: &[u8]) {
        let (rest, error) = match self.append(lines) {
            Ok(()) => (&[][..], None),
            Err((rest, error)) => (rest, Some(error)),
        };
        let lost = line_writer::count(rest);
        self.metrics.lost.inc_by(lost);
        self.metrics
            .written
            .inc_by(line_writer::count(lines) - lost);
        self.log_trouble(error);
    }
}

impl AuditFile {
    pub(super) fn new(path: PathBuf, metrics: AuditMetrics) -> Self {
        Self {
            path,
            metrics,
            file: None,
            is_torn: false,
            has_trouble: false,
        }
    }

    fn append<'a>(&mut self, lines: &'a [u8]) -> Result<(), (&'a [u8], io::Error)> {
        self.reopen().map_err(|error| (lines, error))?;
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        if self.is_torn {
            // End the partial line first, so that the next line is complete.
            line_writer::write_to(file, b"\n").map_err(|unwritten| (lines, unwritten.error))?;
            self.is_torn = false;
        }
        line_writer::write_to(file, lines).map_err(|unwritten| {
            let written = lines.len() - unwritten.rest.len();
            let last = lines.get(..written).unwrap_or_default().last();
            self.is_torn = last.is_some_and(|last| *last != b'\n');
            (unwritten.rest, unwritten.error)
        })
    }

    /// Opens the file at the path, unless it is already open.
    fn reopen(&mut self) -> io::Result<()> {
        if let Some(file) = &self.file {
            let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
            let current = fs::metadata(&self.path).map(id);
            if current.is_ok_and(|current| file.metadata().is_ok_and(|open| id(open) == current)) {
                return Ok(());
            }
            self.file = None;
        }
        let opened = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(PRIVATE)
            .open(&self.path)?;
        self.file = Some(opened);
        self.is_torn = false;
        Ok(())
    }

    /// Logs when writing starts to fail and when it works again.
    fn log_trouble(&mut self, error: Option<io::Error>) {
        let had_trouble = std::mem::replace(&mut self.has_trouble, error.is_some());
        self.metrics.trouble.set(error.is_some().into());
        let path = self.path.display();
        match error {
            Some(error) if !had_trouble => tracing::error!(
                "cannot write the audit file `{path}`: {error}; logins continue, and lost lines are counted"
            ),
            None if had_trouble => tracing::info!("the audit file `{path}` can be written again"),
            Some(_) | None => {}
        }
    }
}
