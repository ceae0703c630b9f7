//! The log: lines on standard error, as text or JSON.

use std::io::{self, IsTerminal as _};
use std::panic::{self, PanicHookInfo};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, ParseError};

use crate::env::Variables;

/// The variable that says what is logged: a level, or directives such as `warn,ack_ram_authenticator=debug`.
pub const FILTER_VARIABLE: &str = "ACK_RAM_AUTHENTICATOR_LOG";

/// What is logged unless [`FILTER_VARIABLE`] says otherwise. What these libraries say of a failure, this program says,
/// too, with what to do about it.
const STANDARD: &str = "info,kube_client=off,kube_runtime=off";

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
pub fn start(format: Format, variables: &Variables<'_>) -> Result<(), ParseError> {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse(variables(FILTER_VARIABLE).unwrap_or_else(|| STANDARD.to_owned()))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // It would tell of a line that cannot be written on standard error, too, and panics when that fails: a full
        // disk under the log would end the server.
        .log_internal_errors(false)
        .with_target(false);
    match format {
        Format::Text => {
            let colours = io::stderr().is_terminal() && variables("NO_COLOR").is_none();
            log.with_ansi(colours).init();
        }
        Format::Json => log.json().flatten_event(true).init(),
    }
    panic::set_hook(Box::new(report_panic));
    Ok(())
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
