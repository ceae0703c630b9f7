//! How the quickstart looks: colours and bold type on a terminal, plain text elsewhere.

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

/// Prints the steps, numbered.
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

/// A reader that has gone away (`quickstart | head`) is no reason to fail.
fn print(text: &str) {
    let _gone = anstream::stdout().write_all(text.as_bytes());
}

/// What the server logs, kept to be shown where it belongs.
pub(crate) fn capture_log() -> Log {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .json()
        .with_writer(move || writer.clone())
        .init();
    log
}

/// What the server has logged, an event a line.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn last_event(&self) -> Value {
        let text = self.0.lock();
        let text = String::from_utf8_lossy(&text);
        let last = text.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_default()
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
