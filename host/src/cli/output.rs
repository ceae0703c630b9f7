//! The output of commands.

use std::io::{self, Write as _};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use crate::cli::failure::CommandFailure;

/// The output format of a command.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum OutputFormat {
    Text,
    Json,
}

/// The style of a success.
pub(super) const SUCCESS: Style = AnsiColor::Green.on_default();
/// The style of an error.
pub(super) const ERROR: Style = AnsiColor::Red.on_default().bold();
/// The style of a warning.
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default();
/// The style of secondary text.
pub(super) const DIM: Style = Style::new().dimmed();
/// The style of a heading.
pub(super) const HEADING: Style = Style::new().bold();

/// Prints `text`, the whole result of a command, on standard output, in color only on a terminal.
///
/// A closed pipe is not an error: a reader such as `head` has read enough.
pub(super) fn print(text: &str) -> Result<(), CommandFailure> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CommandFailure::Failed(
            format!("cannot write to standard output: {error}"),
        )),
        _ => Ok(()),
    }
}

/// Renders `value` as JSON with one line for each member, indents each level by `indent`, and adds a newline.
pub(super) fn json(value: &impl Serialize, indent: &str) -> Result<String, CommandFailure> {
    let mut bytes = Vec::new();
    let formatter = PrettyFormatter::with_indent(indent.as_bytes());
    value.serialize(&mut Serializer::with_formatter(&mut bytes, formatter))?;
    bytes.push(b'\n');
    Ok(String::from_utf8(bytes)?)
}

/// Returns `number` and the noun `what`, in the plural unless `number` is 1.
pub(super) fn pluralize(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}
