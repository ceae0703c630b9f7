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

/// Returns a text on one line, with its control characters escaped. Names in files, such as those of profiles and users,
/// can contain sequences that a terminal obeys.
pub(super) fn escaped(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => line.extend(character.escape_default()),
            false => line.push(character),
        }
    }
    line
}

/// Returns `number` and the noun `what`, in the plural unless `number` is 1.
pub(super) fn pluralize(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// Returns the age of something as text, such as `4 days 22 h ago`.
pub(super) fn ago(seconds: u64) -> String {
    match seconds {
        0 => "just now".to_owned(),
        _ => format!("{} ago", duration(seconds)),
    }
}

/// Returns a duration as text with its one or two largest units.
pub(super) fn duration(seconds: u64) -> String {
    let days = seconds / 86_400;
    let units = [
        (days, if days == 1 { "day" } else { "days" }),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let largest = units.into_iter().skip_while(|(count, _)| *count == 0);
    let parts: Vec<String> = largest
        .take(2)
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_has_at_most_two_units() {
        for (seconds, expected) in [
            (0, "just now"),
            (1, "1 s ago"),
            (60, "1 min ago"),
            (61, "1 min 1 s ago"),
            (3_605, "1 h ago"),
            (86_400, "1 day ago"),
            (172_859, "2 days ago"),
            (425_342, "4 days 22 h ago"),
        ] {
            assert_eq!(ago(seconds), expected);
        }
    }
}
