//! The log: lines on standard error, as text or JSON.
//!
//! A server's are written by a thread of their own: whoever does not read them, or a full disk, holds up no login.

use std::fmt;
use std::io::{self, IsTerminal as _, Write};
use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, ParseError};
use tracing_subscriber::fmt::MakeWriter;

use crate::env::Variables;
use crate::lines::{self, Lines, Sink};

/// The variable that says what is logged: a level, or directives such as `warn,ack_ram_authenticator=debug`.
pub const FILTER_VARIABLE: &str = "ACK_RAM_AUTHENTICATOR_LOG";

/// What is logged unless [`FILTER_VARIABLE`] says otherwise. What these libraries say of a failure, this program says,
/// too, with what to do about it.
const STANDARD: &str = "info,kube_client=off,kube_runtime=off";

/// How long the end of the program waits for somebody to read the last lines.
const LAST_LINES_WITHIN: Duration = Duration::from_secs(2);

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
) -> Result<Background, LogError> {
    let lines = Lines::start("log", StandardError::default()).map_err(LogError::Thread)?;
    let background = Background(lines.clone());
    start_with(format, variables, move || Waiting(lines.clone()))?;
    Ok(background)
}

fn start_with<W>(format: Format, variables: &Variables<'_>, writer: W) -> Result<(), LogError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let asked = variables(FILTER_VARIABLE);
    // Who chooses by targets sees which there are.
    let with_targets = asked.is_some();
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse(asked.unwrap_or_else(|| STANDARD.to_owned()))
        .map_err(LogError::Filter)?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        // It would tell of a line that cannot be written on standard error, too, and panics when that fails: a full
        // disk under the log would end the program.
        .log_internal_errors(false)
        .with_target(with_targets);
    match format {
        Format::Text => {
            let colours = io::stderr().is_terminal() && variables("NO_COLOR").is_none();
            log.with_ansi(colours).init();
        }
        Format::Json => log
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .init(),
    }
    panic::set_hook(Box::new(report_panic));
    Ok(())
}

/// The log of a server, until it is dropped: then its last lines are written, if somebody reads them soon.
#[must_use]
pub struct Background(Lines);

impl Drop for Background {
    fn drop(&mut self) {
        self.0.finish(LAST_LINES_WITHIN);
    }
}

/// How many lines of the log nobody will read, since this process started.
static LOST: AtomicU64 = AtomicU64::new(0);

/// How many lines of the log there was no room for, or could not be written.
#[must_use]
pub fn lost_lines() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// One line, on its way to the thread that writes it.
struct Waiting(Lines);

impl Write for Waiting {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.0.push(line).is_err() {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct StandardError {
    /// Of [`lost_lines`], those that the log tells of.
    told: u64,
}

impl Sink for StandardError {
    fn write(&mut self, lines: &[u8]) {
        if let Err(unwritten) = lines::write_to(&mut io::stderr(), lines) {
            LOST.fetch_add(unwritten.count(), Ordering::Relaxed);
            return;
        }
        let lost = lost_lines();
        if lost > self.told {
            tracing::warn!(
                lines = lost - self.told,
                "lines of this log are lost: standard error was not read, or could not be written"
            );
            self.told = lost;
        }
    }
}

/// Why there is no log.
#[derive(Debug)]
pub enum LogError {
    /// [`FILTER_VARIABLE`] holds something else.
    Filter(ParseError),
    /// There can be no thread that writes it.
    Thread(io::Error),
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter(error) => write!(
                f,
                "`{FILTER_VARIABLE}`: {error}; write a level, such as `debug`"
            ),
            Self::Thread(error) => write!(f, "cannot start the thread of the log: {error}"),
        }
    }
}

impl std::error::Error for LogError {}

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
    fn a_panic_tells_its_place_and_not_its_message() {
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
