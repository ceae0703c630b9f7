//! The output of the quickstart: colors and bold type on a terminal, plain text elsewhere.

use std::cell::Cell;
use std::fmt::Display;
use std::io::{self, Write};
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use parking_lot::Mutex;
use serde_json::Value;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const SUCCESS: Style = AnsiColor::Green.on_default();
const ERROR: Style = AnsiColor::Red.on_default();

/// Prints titles, numbered steps, and their details.
pub(crate) struct Page {
    steps: Cell<usize>,
}

impl Page {
    pub(crate) fn new() -> Self {
        Self {
            steps: Cell::new(0),
        }
    }

    pub(crate) fn title(&self, text: &str) {
        print(&format!("\n{BOLD}{text}{BOLD:#}\n"));
    }

    pub(crate) fn step(&self, text: &str) {
        self.steps.set(self.steps.get() + 1);
        print(&format!("\n{BOLD}{}  {text}{BOLD:#}\n", self.steps.get()));
    }

    pub(crate) fn field(&self, name: &str, value: impl Display) {
        print(&format!("   {DIM}{name:12}{DIM:#}  {value}\n"));
    }

    pub(crate) fn note(&self, text: &str) {
        print(&format!("   {DIM}{text}:{DIM:#}\n"));
    }

    pub(crate) fn block(&self, text: &str) {
        styled(text, Style::new());
    }

    pub(crate) fn good(&self, text: &str) {
        styled(text, SUCCESS);
    }

    pub(crate) fn bad(&self, text: &str) {
        styled(text, ERROR);
    }
}

fn styled(text: &str, style: Style) {
    for line in text.lines() {
        print(&format!("     {style}{line}{style:#}\n"));
    }
}

/// Prints `text`. A closed pipe, as in `quickstart | head`, is not an error.
fn print(text: &str) {
    let _result = anstream::stdout().write_all(text.as_bytes());
}

/// Starts a log that keeps the lines of the server, so that the page can show them.
pub(crate) fn capture_log() -> Log {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .json()
        .with_writer(move || writer.clone())
        .init();
    log
}

/// The log of the server, with one JSON object per line.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn last_line(&self) -> String {
        let text = self.0.lock();
        let text = String::from_utf8_lossy(&text);
        text.lines().last().unwrap_or_default().to_owned()
    }

    pub(crate) fn last_event(&self) -> Value {
        serde_json::from_str(&self.last_line()).unwrap_or_default()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut text = self.0.lock();
        text.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
