//! The log of a server, which a separate thread writes.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tracing::Level;

use super::{Format, LogError, start_with};
use crate::environment::Variables;
use crate::line_writer::{self, LineSink, LineWriter};

/// How long the program waits at its exit for the last lines to be read.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Starts the log of a server at the level `info`. It never waits for a reader.
///
/// # Errors
/// As [`start`](super::start), and when the thread cannot be started.
pub fn start_in_background(
    format: Format,
    variables: &Variables<'_>,
) -> Result<LogGuard, LogError> {
    let lines = LineWriter::start("log", StderrSink::default()).map_err(LogError::Thread)?;
    let guard = LogGuard(lines.clone());
    start_with(format, Level::INFO, variables, move || {
        LogLineWriter(lines.clone())
    })?;
    Ok(guard)
}

/// Flushes the log of a server when dropped, if the reader is fast enough.
#[must_use]
pub struct LogGuard(LineWriter);

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.0.finish(FLUSH_TIMEOUT);
    }
}

/// The number of lost lines since this process started.
static LOST_LINES: AtomicU64 = AtomicU64::new(0);

/// Returns the number of lines of the log that were lost: the queue was full, or the write failed.
#[must_use]
pub fn lost_lines() -> u64 {
    LOST_LINES.load(Ordering::Relaxed)
}

/// Passes one line to the thread that writes it.
struct LogLineWriter(LineWriter);

impl Write for LogLineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.0.push(line).is_err() {
            LOST_LINES.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct StderrSink {
    /// How many of [`lost_lines`] the log has reported.
    reported: u64,
}

impl LineSink for StderrSink {
    fn write(&mut self, lines: &[u8]) {
        if let Err(unwritten) = line_writer::write_to(&mut io::stderr(), lines) {
            LOST_LINES.fetch_add(unwritten.count(), Ordering::Relaxed);
            return;
        }
        let lost = lost_lines();
        if lost > self.reported {
            tracing::warn!(
                lines = lost - self.reported,
                "log lines are lost: standard error was not read in time, or could not be written"
            );
            self.reported = lost;
        }
    }
}
