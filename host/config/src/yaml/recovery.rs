//! Recovery from values that need quotes and have none, so that such a value invalidates only its own entry.
//!
//! Recovery is limited to values that take up the rest of their line after a key or dash. The rest of the document then
//! has the same meaning as if the value had quotes.

use crate::invisible;

use super::unquoted::{QuoteTrigger, UnquotedValue};
use super::{Node, ParseFailure, SyntaxError, Value, parse_strictly};

/// Maximum number of unquoted values to recover from. Recovery from each value parses the document again.
const MAX_UNQUOTED_VALUES: usize = 16;

/// Parses `source`, which failed with `error`, with placeholders for values that need quotes. Returns `None` if there
/// is any other error.
pub(super) fn parse_around(source: &str, error: &SyntaxError) -> Option<Node> {
    let mut lines: Vec<String> = source.split('\n').map(str::to_owned).collect();
    let placeholder = placeholder(source);
    let mut triggers = Vec::new();
    let mut position = error.position?;
    while triggers.len() < MAX_UNQUOTED_VALUES {
        let line = lines.get_mut(usize::try_from(position.line).ok()?.checked_sub(1)?)?;
        let start = value_start(line)?;
        let value = line.get(start..)?;
        if !is_whole_value(value) {
            return None;
        }
        let column = line.get(..start)?.chars().count() as u64 + 1;
        let trigger = match QuoteTrigger::detect(value) {
            // The parser reports braces at the key inside them, or after them.
            Some(trigger) if position.column == column || trigger == QuoteTrigger::Braces => {
                trigger
            }
            Some(_) => return None,
            None if is_second_colon(value, position.column.checked_sub(column)?) => {
                QuoteTrigger::Colon
            }
            None => return None,
        };
        line.truncate(start);
        line.push_str(&format!("'{placeholder}{}'", triggers.len()));
        triggers.push(trigger);
        match parse_strictly(&lines.join("\n")) {
            Ok(mut root) => {
                let mut replacer = PlaceholderReplacer {
                    placeholder: &placeholder,
                    was_found: vec![false; triggers.len()],
                    triggers: &triggers,
                    is_embedded: false,
                };
                replacer.replace_in(&mut root);
                // Every placeholder must be a complete value, and none may be missing.
                let is_complete =
                    !replacer.is_embedded && replacer.was_found.iter().all(|was_found| *was_found);
                return is_complete.then_some(root);
            }
            Err(ParseFailure::Syntax(error)) => position = error.position?,
            Err(ParseFailure::LimitExceeded(_)) => return None,
        }
    }
    None
}

/// Returns the byte offset in `line` where the value starts, after dashes and a key; `None` if there is no key or dash.
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

/// Returns whether `value`, the rest of a line, is certainly a single value. In flow style, a comma or a bracket ends a
/// value, and some invisible characters end a line. The text after them would be lost with the value.
fn is_whole_value(value: &str) -> bool {
    let mut outside = value.to_owned();
    // Braces of templates do not end the value.
    while let Some((before, rest)) = outside.split_once("{{") {
        let Some((name, after)) = rest.split_once("}}") else {
            return false;
        };
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return false;
        }
        outside = format!("{before} {after}");
    }
    !outside.contains([',', '[', ']', '{', '}'])
        && !value
            .trim_end()
            .contains(|character| invisible::character_name(character).is_some())
}

/// Returns whether `value` starts with a letter or digit, and has a colon at `index` that would make it a map.
fn is_second_colon(value: &str, index: u64) -> bool {
    let index = usize::try_from(index).unwrap_or(usize::MAX);
    let mut rest = value.chars().skip(index);
    value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && rest.next() == Some(':')
        && rest.next().is_none_or(char::is_whitespace)
}

/// Returns a text that does not occur in `source`.
fn placeholder(source: &str) -> String {
    let mut placeholder = "unquoted-value-".to_owned();
    while source.contains(&placeholder) {
        placeholder.push('-');
    }
    placeholder
}

/// Replaces the placeholders in a document with [`Value::Unquoted`].
struct PlaceholderReplacer<'a> {
    placeholder: &'a str,
    /// Trigger of the replaced value, by the number in its placeholder.
    triggers: &'a [QuoteTrigger],
    was_found: Vec<bool>,
    /// Whether a placeholder is only a part of a value or key.
    is_embedded: bool,
}

impl PlaceholderReplacer<'_> {
    /// Replaces every placeholder in `node`.
    ///
    /// An alias or a merge key repeats the value of its anchor, so a placeholder can occur several times. A remaining
    /// placeholder would act as an ARN or a list that the author did not write.
    fn replace_in(&mut self, node: &mut Node) {
        match &mut node.value {
            Value::Text(text) => {
                if let Some(number) = text.strip_prefix(self.placeholder) {
                    let number: Option<usize> = number.parse().ok();
                    let was_found = number.and_then(|number| self.was_found.get_mut(number));
                    let trigger = number.and_then(|number| self.triggers.get(number));
                    if let (Some(was_found), Some(trigger)) = (was_found, trigger) {
                        *was_found = true;
                        node.value = Value::Unquoted(UnquotedValue::new(*trigger));
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
