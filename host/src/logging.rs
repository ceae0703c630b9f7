//! The log: lines on standard error, as text or JSON.
//!
//! A server writes its log in a separate thread, so that a slow reader or a full disk does not delay logins.

#[cfg(feature = "server")]
mod background;

use std::io::{self, IsTerminal as _};
use std::panic::{self, PanicHookInfo};

use thiserror::Error;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{EnvFilter, LevelFilter, ParseError, filter_fn};
use tracing_subscriber::fmt::{self as log_layer, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::environment::Variables;
#[cfg(feature = "server")]
pub use background::{LogGuard, lost_lines, start_in_background};

/// The variable with the log filter: a level, or directives such as `warn,ack_ram_authenticator=debug`.
pub const FILTER_VARIABLE: &str = "ACK_RAM_AUTHENTICATOR_LOG";

/// Directives for libraries whose failures this program logs itself, with advice. [`FILTER_VARIABLE`] takes precedence.
const LIBRARY_DIRECTIVES: &str = "kube_client=off,kube_runtime=off";

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

/// Why the log cannot start.
#[derive(Debug, Error)]
pub enum LogError {
    /// [`FILTER_VARIABLE`] is not a valid filter.
    #[error("`{variable}`: {0}; use a level, such as `debug`", variable = FILTER_VARIABLE)]
    Filter(ParseError),
    /// The thread that writes the log cannot be started.
    #[cfg(feature = "server")]
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
