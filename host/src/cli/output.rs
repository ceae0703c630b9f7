//! What commands print.

use std::io::{self, Write as _};

use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use crate::cli::failure::Failure;

/// Prints `text`, the whole result of a command, on standard output.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| Failure::Failed(format!("cannot write to standard output: {error}")))
}

/// `value` as JSON with a line for each member, each level indented by `indent`, and a newline at the end.
pub(super) fn json(value: &impl Serialize, indent: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let formatter = PrettyFormatter::with_indent(indent.as_bytes());
    value.serialize(&mut Serializer::with_formatter(&mut bytes, formatter))?;
    bytes.push(b'\n');
    Ok(String::from_utf8(bytes)?)
}
