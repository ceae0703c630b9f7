//! The file, wherever its name has gone since the last line.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use crate::files::PRIVATE;
use crate::line_writer::{self, LineSink};
use crate::metrics::AuditMetrics;

/// A file to which lines are appended.
///
/// Its name is looked at before each write: a file that was moved away or deleted, as logrotate does, gets no further
/// line, and a new one is made in its place.
pub(super) struct AuditFile {
    path: PathBuf,
    metrics: AuditMetrics,
    file: Option<File>,
    /// The file ends in the middle of a line.
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
            // What could not be written in full stands alone: the next line is whole.
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

    /// Opens the file that has the name now, unless it is open.
    fn reopen(&mut self) -> io::Result<()> {
        if let Some(file) = &self.file {
            let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
            let here = fs::metadata(&self.path).map(id);
            if here.is_ok_and(|here| file.metadata().is_ok_and(|open| id(open) == here)) {
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

    /// Tells in the log when the trouble begins and when it is over.
    fn log_trouble(&mut self, error: Option<io::Error>) {
        let had_trouble = std::mem::replace(&mut self.has_trouble, error.is_some());
        self.metrics.trouble.set(error.is_some().into());
        let path = self.path.display();
        match error {
            Some(error) if !had_trouble => tracing::error!(
                "the audit file `{path}` cannot be written: {error}; logins go on without it, and what is missing is counted"
            ),
            None if had_trouble => tracing::info!("the audit file `{path}` is written again"),
            Some(_) | None => {}
        }
    }
}
