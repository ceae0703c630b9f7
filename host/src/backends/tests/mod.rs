//! Edits of each source, and the mappings that are in effect after them.

mod broken_edits;
mod edit_sequences;
mod lists;

use std::io;
use std::sync::Arc;

use ack_ram_core::rules::Rule;
use parking_lot::Mutex;
use tracing_subscriber::fmt::MakeWriter;

/// Formats a rule as the edits of lists in `tests/vectors/broken-edits.yaml` do.
pub(crate) fn line(rule: &Rule) -> String {
    let spec = rule.to_mapping().spec;
    let username = spec.username_expression.unwrap_or(spec.username);
    let named = format!("{} = {username} {}", rule.subject(), spec.groups.join(","));
    let mut line = named.trim_end().to_owned();
    if let Some(expression) = spec.groups_expression {
        line += &format!(" and {expression}");
    }
    if let Some(condition) = spec.condition {
        line += &format!(" if {condition}");
    }
    line
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Runs `act` and returns its log.
pub(crate) fn logged(act: impl FnOnce()) -> String {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    tracing::subscriber::with_default(subscriber, act);
    let bytes = log.0.lock().clone();
    String::from_utf8(bytes).unwrap()
}
