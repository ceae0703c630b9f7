//! Reads a document around values that need quotes and have none, so that one such value refuses its entry alone.
//!
//! Only a value that stands alone after its key or dash, up to the end of its line, is read around: what that leaves is
//! what the document says with quotes there.

use ack_ram_core::lint::invisible;

use super::unquoted::{Sign, Unquoted};
use super::{Failure, Node, Position, SyntaxError, Value, parse_strictly};

/// So many values without quotes are read around; each takes a further look at the document.
const MAX_VALUES: usize = 16;

/// Parses `source`, which failed with `error`, around values that need quotes. `None` when something else is wrong, too.
pub(super) fn parse_around(source: &str, error: &SyntaxError) -> Option<Node> {
    let mut lines: Vec<String> = source.split('\n').map(str::to_owned).collect();
    let mut found = Vec::new();
    let mut position = error.position?;
    while found.len() < MAX_VALUES {
        let line = lines.get_mut(usize::try_from(position.line).ok()?.checked_sub(1)?)?;
        let start = value_start(line)?;
        let value = line.get(start..)?;
        let column = line.get(..start)?.chars().count() as u64 + 1;
        let sign = match Sign::of(value) {
            // The parser reports braces at the key within, or behind them.
            Some(sign) if position.column == column || sign == Sign::Braces => sign,
            Some(_) => return None,
            None if is_second_colon(value, position.column.checked_sub(column)?) => Sign::Colon,
            None => return None,
        };
        found.push((Position { column, ..position }, sign));
        line.truncate(start);
        line.push_str("''");
        match parse_strictly(&lines.join("\n")) {
            Ok(mut root) => {
                let mut marked = 0;
                mark(&mut root, &found, &mut marked);
                // Each of them is a value of its own, and none is gone.
                return (marked == found.len()).then_some(root);
            }
            Err(Failure::Syntax(error)) => position = error.position?,
            Err(Failure::TooMuch(_)) => return None,
        }
    }
    None
}

/// Where in `line` the value starts, after dashes and a key, if it stands alone.
fn value_start(line: &str) -> Option<usize> {
    let mut rest = line.trim_start_matches(' ');
    let mut has_dash = false;
    while let Some(after) = rest.strip_prefix("- ") {
        rest = after.trim_start_matches(' ');
        has_dash = true;
    }
    let is_word = |key: &str| {
        !key.is_empty()
            && key
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    match rest.split_once(": ") {
        Some((key, value)) if is_word(key) => rest = value.trim_start_matches(' '),
        _ if has_dash => {}
        _ => return None,
    }
    Some(line.len() - rest.len())
}

/// Whether `value` starts with a word, and a colon `index` characters on would make it a map.
fn is_second_colon(value: &str, index: u64) -> bool {
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    let mut rest = value.chars().skip(index);
    value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !value.trim_end().contains(|c| invisible::name(c).is_some())
        && rest.next() == Some(':')
        && rest.next().is_none_or(char::is_whitespace)
}

/// Makes the empty texts at the places in `found` what they stand for.
fn mark(node: &mut Node, found: &[(Position, Sign)], marked: &mut usize) {
    let here = found
        .iter()
        .find(|(position, _)| *position == node.position);
    match &mut node.value {
        Value::Text(text) if text.is_empty() => {
            if let Some((_, sign)) = here {
                node.value = Value::Unquoted(Unquoted::new(*sign));
                *marked += 1;
            }
        }
        Value::List(items) => items.iter_mut().for_each(|item| mark(item, found, marked)),
        Value::Map(entries) => entries
            .iter_mut()
            .for_each(|(_, value)| mark(value, found, marked)),
        _ => {}
    }
}
