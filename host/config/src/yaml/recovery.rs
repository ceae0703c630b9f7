//! Reads a document around values that need quotes and have none, so that one such value refuses its entry alone.
//!
//! Only a value that stands alone after its key or dash, up to the end of its line, is read around: what that leaves is
//! what the document says with quotes there.

use crate::invisible;

use super::unquoted::{QuoteTrigger, UnquotedValue};
use super::{Node, ParseFailure, SyntaxError, Value, parse_strictly};

/// So many values without quotes are read around; each takes a further look at the document.
const MAX_UNQUOTED_VALUES: usize = 16;

/// Parses `source`, which failed with `error`, around values that need quotes. `None` when something else is wrong, too.
pub(super) fn parse_around(source: &str, error: &SyntaxError) -> Option<Node> {
    let mut lines: Vec<String> = source.split('\n').map(str::to_owned).collect();
    let placeholder = placeholder(source);
    let mut signs = Vec::new();
    let mut position = error.position?;
    while signs.len() < MAX_UNQUOTED_VALUES {
        let line = lines.get_mut(usize::try_from(position.line).ok()?.checked_sub(1)?)?;
        let start = value_start(line)?;
        let value = line.get(start..)?;
        if !is_whole_value(value) {
            return None;
        }
        let column = line.get(..start)?.chars().count() as u64 + 1;
        let sign = match QuoteTrigger::detect(value) {
            // The parser reports braces at the key within, or behind them.
            Some(sign) if position.column == column || sign == QuoteTrigger::Braces => sign,
            Some(_) => return None,
            None if is_second_colon(value, position.column.checked_sub(column)?) => {
                QuoteTrigger::Colon
            }
            None => return None,
        };
        line.truncate(start);
        line.push_str(&format!("'{placeholder}{}'", signs.len()));
        signs.push(sign);
        match parse_strictly(&lines.join("\n")) {
            Ok(mut root) => {
                let mut marks = PlaceholderReplacer {
                    placeholder: &placeholder,
                    was_found: vec![false; signs.len()],
                    signs: &signs,
                    is_embedded: false,
                };
                marks.replace_in(&mut root);
                // Each of them is a value of its own, and none is gone.
                let is_whole =
                    !marks.is_embedded && marks.was_found.iter().all(|was_found| *was_found);
                return is_whole.then_some(root);
            }
            Err(ParseFailure::Syntax(error)) => position = error.position?,
            Err(ParseFailure::LimitExceeded(_)) => return None,
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

/// Returns whether `value`, the rest of a line, can be nothing but one value: in flow style, a comma or a bracket ends the
/// value, and some invisible characters end the line. What follows would be lost with the value.
fn is_whole_value(value: &str) -> bool {
    let mut outside = value.to_owned();
    // A template has braces of its own.
    while let Some((before, rest)) = outside.split_once("{{") {
        let Some((word, after)) = rest.split_once("}}") else {
            return false;
        };
        if !word.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return false;
        }
        outside = format!("{before} {after}");
    }
    !outside.contains([',', '[', ']', '{', '}'])
        && !value
            .trim_end()
            .contains(|character| invisible::character_name(character).is_some())
}

/// Whether `value` starts with a word, and a colon `index` characters on would make it a map.
fn is_second_colon(value: &str, index: u64) -> bool {
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    let mut rest = value.chars().skip(index);
    value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && rest.next() == Some(':')
        && rest.next().is_none_or(char::is_whitespace)
}

/// Returns a text that `source` does not hold.
fn placeholder(source: &str) -> String {
    let mut placeholder = "unquoted-value-".to_owned();
    while source.contains(&placeholder) {
        placeholder.push('-');
    }
    placeholder
}

/// Puts [`Value::Unquoted`] in place of the placeholders of a document.
struct PlaceholderReplacer<'a> {
    placeholder: &'a str,
    /// How the value starts that the placeholder with each number stands for.
    signs: &'a [QuoteTrigger],
    was_found: Vec<bool>,
    /// Whether a placeholder is a part of something else.
    is_embedded: bool,
}

impl PlaceholderReplacer<'_> {
    /// An alias or a merge repeats the value under its anchor elsewhere, so every place with a placeholder is marked: one
    /// that stayed a text would be an ARN or a list that its author did not write.
    fn replace_in(&mut self, node: &mut Node) {
        match &mut node.value {
            Value::Text(text) => {
                if let Some(number) = text.strip_prefix(self.placeholder) {
                    let number: Option<usize> = number.parse().ok();
                    let seen = number.and_then(|number| self.was_found.get_mut(number));
                    let sign = number.and_then(|number| self.signs.get(number));
                    if let (Some(seen), Some(sign)) = (seen, sign) {
                        *seen = true;
                        node.value = Value::Unquoted(UnquotedValue::new(*sign));
                        return;
                    }
                }
                self.is_embedded |= text.contains(self.placeholder);
            }
            Value::List(items) => items.iter_mut().for_each(|item| self.replace_in(item)),
            Value::Map(entries) => {
                for (key, value) in entries {
                    self.is_embedded |= key.name.contains(self.placeholder);
                    self.replace_in(value);
                }
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::ComplexMap
            | Value::Unquoted(_) => {}
        }
    }
}
