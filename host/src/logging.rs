//! The log: lines on standard error, as text or JSON.
//!
//! A server's are written by a thread of their own: whoever does not read them, or a full disk, holds up no login.

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

/// The variable that says what is logged: a level, or directives such as `warn,ack_ram_authenticator=debug`.
pub const FILTER_VARIABLE: &str = "ACK_RAM_AUTHENTICATOR_LOG";

/// Comes before what is asked for. What these libraries say of a failure, this program says, too, with what to do
/// about it.
const DEFAULT_DIRECTIVES: &str = "info,kube_client=off,kube_runtime=off";

/// How long the end of the program waits for somebody to read the last lines.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// How a line of the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people; coloured on a terminal.
    #[default]
    Text,
    /// One JSON object per line, for machines.
    Json,
}

/// Starts the log of this process: `info` and above, unless [`FILTER_VARIABLE`] says otherwise. Panics go there, too.
///
/// # Errors
/// When that variable holds something else.
pub fn start(format: Format, variables: &Variables<'_>) -> Result<(), LogError> {
    start_with(format, variables, io::stderr)
}

/// Starts the log of a server, which waits for no reader.
///
/// # Errors
/// As [`start`], and when there can be no thread.
pub fn start_in_background(
    format: Format,
    variables: &Variables<'_>,
) -> Result<LogGuard, LogError> {
    let lines = LineWriter::start("log", StderrSink::default()).map_err(LogError::Thread)?;
    let guard = LogGuard(lines.clone());
    start_with(format, variables, move || LogLineWriter(lines.clone()))?;
    Ok(guard)
}

fn start_with<W>(format: Format, variables: &Variables<'_>, writer: W) -> Result<(), LogError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = variables(FILTER_VARIABLE);
    // Who chooses by targets sees which there are.
    let with_targets = filter.is_some();
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse(format!(
            "{DEFAULT_DIRECTIVES},{}",
            filter.unwrap_or_default()
        ))
        .map_err(LogError::Filter)?;
    let lines = log_layer::layer()
        .with_writer(writer)
        // It would tell of a line that cannot be written on standard error, too, and panics when that fails: a full
        // disk under the log would end the program.
        .log_internal_errors(false)
        .with_target(with_targets);
    let log = tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(quotes_no_input));
    match format {
        Format::Text => {
            let colours = io::stderr().is_terminal() && variables("NO_COLOR").is_none();
            log.with(lines.with_ansi(colours)).init();
        }
        Format::Json => {
            let lines = lines.json().flatten_event(true).with_current_span(false);
            log.with(lines).init();
        }
    }
    panic::set_hook(Box::new(report_panic));
    Ok(())
}

/// Returns whether an event or a span of this kind quotes no input. Below `info`, libraries quote what they are sent: `h2` the
/// path of a request, in which somebody may have put a token.
fn quotes_no_input(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("ack_ram_") || *metadata.level() <= Level::INFO
}

/// Flushes the log of a server when it is dropped, if the reader is fast enough.
#[must_use]
pub struct LogGuard(LineWriter);

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.0.finish(FLUSH_TIMEOUT);
    }
}

/// The number of lost lines since this process started.
static LOST_LINES: AtomicU64 = AtomicU64::new(0);

/// How many lines of the log there was no room for, or could not be written.
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
    /// Of [`lost_lines`], those that the log tells of.
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
                "lines of this log are lost: standard error was not read, or could not be written"
            );
            self.reported = lost;
        }
    }
}

/// Why there is no log.
#[derive(Debug, Error)]
pub enum LogError {
    /// [`FILTER_VARIABLE`] holds something else.
    #[error("`{variable}`: {0}; write a level, such as `debug`", variable = FILTER_VARIABLE)]
    Filter(ParseError),
    /// There can be no thread that writes it.
    #[error("cannot start the thread of the log: {0}")]
    Thread(io::Error),
}

/// Says only where it happened: the message of a panic may quote what was being worked on, such as a token.
fn report_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    tracing::error!(place, "panicked; this is a defect of the program");
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
