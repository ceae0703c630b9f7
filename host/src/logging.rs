//! The log: lines on standard error, as text or JSON.
//!
//! A server writes its log in a separate thread, so that a slow reader or a full disk does not delay logins.

use std::io::{self, IsTerminal as _, Write};
use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use thiserror::Error;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{EnvFilter, LevelFilter, ParseError, filter_fn};
use tracing_subscriber::fmt::{self as log_layer, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::environment::Variables;
use crate::line_writer::{self, LineSink, LineWriter};

/// The variable with the log filter: a level, or directives such as `warn,ack_ram_authenticator=debug`.
pub const FILTER_VARIABLE: &str = "ACK_RAM_AUTHENTICATOR_LOG";

/// Directives for libraries whose failures this program logs itself, with advice. [`FILTER_VARIABLE`] takes precedence.
const LIBRARY_DIRECTIVES: &str = "kube_client=off,kube_runtime=off";

/// How long the program waits at its exit for the last lines to be read.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The format of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Text for people, in color on a terminal.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Starts the log of this process, which also receives panics. [`FILTER_VARIABLE`] takes precedence over `level`: a level
/// in a kubeconfig must not hide what a person asks for.
///
/// # Errors
/// When [`FILTER_VARIABLE`] is not a valid filter.
pub fn start(format: Format, level: Level, variables: &Variables<'_>) -> Result<(), LogError> {
    start_with(format, level, variables, io::stderr)
}

/// Starts the log of a server at the level `info`. It never waits for a reader.
///
/// # Errors
/// As [`start`], and when the thread cannot be started.
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

fn start_with<W>(
    format: Format,
    level: Level,
    variables: &Variables<'_>,
    writer: W,
) -> Result<(), LogError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = variables(FILTER_VARIABLE);
    // A user who filters by target needs to see the targets.
    let with_targets = filter.is_some();
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::from_level(level).into())
        .parse(format!(
            "{level},{LIBRARY_DIRECTIVES},{}",
            filter.unwrap_or_default()
        ))
        .map_err(LogError::Filter)?;
    let lines = log_layer::layer()
        .with_writer(writer)
        // The library reports a failed write on standard error and panics when that fails, too. A full disk would end
        // the program.
        .log_internal_errors(false)
        .with_target(with_targets);
    let log = tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(quotes_no_input));
    match format {
        Format::Text => {
            let has_colors = io::stderr().is_terminal() && variables("NO_COLOR").is_none();
            log.with(lines.with_ansi(has_colors)).init();
        }
        Format::Json => {
            let lines = lines.json().flatten_event(true).with_current_span(false);
            log.with(lines).init();
        }
    }
    panic::set_hook(Box::new(report_panic));
    Ok(())
}

/// Returns whether events and spans of this kind quote no input.
///
/// Below `info`, libraries quote input: `h2` logs the path of a request, which may contain a token.
fn quotes_no_input(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("ack_ram_") || *metadata.level() <= Level::INFO
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

/// Why the log cannot start.
#[derive(Debug, Error)]
pub enum LogError {
    /// [`FILTER_VARIABLE`] is not a valid filter.
    #[error("`{variable}`: {0}; use a level, such as `debug`", variable = FILTER_VARIABLE)]
    Filter(ParseError),
    /// The thread that writes the log cannot be started.
    #[error("cannot start the thread of the log: {0}")]
    Thread(io::Error),
}

/// Logs the location of a panic, but not the message, which may quote input such as a token.
fn report_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    tracing::error!(place, "the program panicked; report this as a bug");
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn panic_is_logged_with_location_and_without_message() {
        let captured = Captured::default();
        let writer = captured.clone();
        let log = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(log, || {
            panic::set_hook(Box::new(report_panic));
            let caught = panic::catch_unwind(|| panic!("k8s-ack-v2.CANARY"));
            drop(panic::take_hook());
            assert!(caught.is_err());
        });
        let text = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
        assert!(text.contains("logging.rs:"), "{text}");
        assert!(!text.contains("CANARY"), "{text}");
    }
}
