//! The style of entries, measured from an existing entry so that a new entry looks the same.

use super::lines::{self, TextLines};
use super::{GROUPS, MappingEntry, USERNAME};
use crate::config::yaml::{Key, Node, Value};

/// The style of an entry.
pub(super) struct EntryStyle {
    fields: Vec<FieldStyle>,
    is_flow: bool,
    /// The number of spaces before keys that do not follow a dash.
    indent: usize,
    groups: GroupsLayout,
}

struct FieldStyle {
    name: &'static str,
    /// The key as text, with its quotes.
    key: String,
    quotes: QuoteStyle,
}

#[derive(Clone, Copy)]
enum GroupsLayout {
    Flow,
    /// The number of spaces before the dash, in addition to those before the key.
    Block(usize),
}

#[derive(Clone, Copy)]
enum QuoteStyle {
    /// No quotes, unless the text needs them.
    None,
    Single,
    Double,
}

impl EntryStyle {
    /// Returns the style for a list without entries, with `dash` spaces before each dash.
    pub(super) fn default_for(arn_key: &'static str, dash: usize) -> Self {
        let field = |name: &'static str| FieldStyle {
            name,
            key: name.to_owned(),
            quotes: QuoteStyle::None,
        };
        Self {
            fields: [arn_key, USERNAME, GROUPS].map(field).into(),
            is_flow: false,
            indent: dash + 2,
            groups: GroupsLayout::Block(0),
        }
    }

    /// Measures the style of `item`, an entry of a list with `dash` spaces before each dash.
    pub(super) fn measure(
        item: &Node,
        arn_key: &'static str,
        dash: usize,
        lines: &TextLines<'_>,
    ) -> Self {
        let mut style = Self::default_for(arn_key, dash);
        let Value::Map(entries) = &item.value else {
            return style;
        };
        let first = entries.first().map(|(key, _)| key.position);
        style.is_flow = lines.char_at(item.position) == Some('{');
        if !style.is_flow
            && let Some(column) = first.and_then(|first| usize::try_from(first.column).ok())
        {
            style.indent = (dash + 2).max(column - 1);
        }
        let mut fields = Vec::new();
        for (key, value) in entries {
            let known = |field: &FieldStyle| field.name.eq_ignore_ascii_case(&key.name);
            if let Some(at) = style.fields.iter().position(known) {
                let mut field = style.fields.remove(at);
                field.key = quoted_key(key, lines);
                field.quotes = quote_style(value, lines);
                if field.name == GROUPS {
                    style.groups = groups_layout(value, key, lines);
                }
                fields.push(field);
            }
        }
        let last_key = entries.last().map(|(key, _)| quoted_key(key, lines));
        for mut field in style.fields.drain(..) {
            // A list that quotes one key quotes all keys.
            if let Some(quote) = last_key.as_ref().and_then(|key| key.chars().next())
                && matches!(quote, '"' | '\'')
            {
                field.key = format!("{quote}{}{quote}", field.name);
            }
            fields.push(field);
        }
        style.fields = fields;
        style
    }

    /// Renders `entry` as lines for a list with `dash` spaces before each dash.
    pub(super) fn lines(&self, entry: &MappingEntry, dash: usize) -> Vec<String> {
        if self.is_flow {
            return vec![format!("{:dash$}- {}", "", self.flow(entry))];
        }
        let mut lines: Vec<String> = Vec::new();
        for field in self.present_fields(entry) {
            let FieldStyle { name, key, quotes } = field;
            let start = if lines.is_empty() {
                format!("{:dash$}-{:pad$}", "", "", pad = self.indent - dash - 1)
            } else {
                " ".repeat(self.indent)
            };
            match (entry.value(name), self.groups) {
                (Some(value), _) => {
                    lines.push(format!("{start}{key}: {}", quotes.write(value, false)))
                }
                (None, GroupsLayout::Flow) => {
                    lines.push(format!("{start}{key}: {}", flow_groups(entry, *quotes)));
                }
                (None, GroupsLayout::Block(further)) => {
                    lines.push(format!("{start}{key}:"));
                    let before = " ".repeat(self.indent + further);
                    let groups = entry.groups.iter();
                    lines.extend(
                        groups.map(|group| format!("{before}- {}", quotes.write(group, false))),
                    );
                }
            }
        }
        lines
    }

    /// Renders `entry` in braces.
    pub(super) fn flow(&self, entry: &MappingEntry) -> String {
        let fields = self.present_fields(entry).map(|field| {
            let FieldStyle { name, key, quotes } = field;
            match entry.value(name) {
                Some(value) => format!("{key}: {}", quotes.write(value, true)),
                None => format!("{key}: {}", flow_groups(entry, *quotes)),
            }
        });
        format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
    }

    fn present_fields(&self, entry: &MappingEntry) -> impl Iterator<Item = &FieldStyle> {
        let is_empty = entry.groups.is_empty();
        let fields = self.fields.iter();
        fields.filter(move |field| !is_empty || field.name != GROUPS)
    }
}

fn flow_groups(entry: &MappingEntry, quotes: QuoteStyle) -> String {
    let groups = entry.groups.iter().map(|group| quotes.write(group, true));
    format!("[{}]", groups.collect::<Vec<_>>().join(", "))
}

/// Returns a key as text, with its quotes.
fn quoted_key(key: &Key, lines: &TextLines<'_>) -> String {
    match lines.char_at(key.position) {
        Some(quote @ ('"' | '\'')) => format!("{quote}{}{quote}", key.name),
        _ => key.name.clone(),
    }
}

fn quote_style(value: &Node, lines: &TextLines<'_>) -> QuoteStyle {
    let sample = match &value.value {
        Value::List(items) => items.first().unwrap_or(value),
        _ => value,
    };
    match lines.char_at(sample.position) {
        Some('"') => QuoteStyle::Double,
        Some('\'') => QuoteStyle::Single,
        _ => QuoteStyle::None,
    }
}

fn groups_layout(groups: &Node, key: &Key, lines: &TextLines<'_>) -> GroupsLayout {
    let Value::List(items) = &groups.value else {
        return GroupsLayout::Block(0);
    };
    let Some(line) = items.first().and_then(|item| lines.line_of(item.position)) else {
        return GroupsLayout::Flow;
    };
    let text = lines.line(line);
    if !text.trim_start().starts_with("- ") || lines.line_of(key.position) == Some(line) {
        return GroupsLayout::Flow;
    }
    let column = usize::try_from(key.position.column).unwrap_or(1);
    GroupsLayout::Block((lines::indent(text) + 1).saturating_sub(column))
}

impl QuoteStyle {
    /// Renders `text` as a scalar that every version of YAML reads as text.
    fn write(self, text: &str, in_flow: bool) -> String {
        match self {
            Self::None if is_plain(text, in_flow) => text.to_owned(),
            Self::Single => format!("'{}'", text.replace('\'', "''")),
            Self::None | Self::Double => double_quoted(text),
        }
    }
}

/// Renders `text` as a YAML scalar, with quotes if they are necessary.
pub(in crate::cli) fn scalar(text: &str) -> String {
    QuoteStyle::None.write(text, false)
}

/// Renders `text` as a JSON string, which is also a double-quoted YAML scalar.
fn double_quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Returns whether `text` needs no quotes, not even in YAML 1.1, which Go reads.
fn is_plain(text: &str, in_flow: bool) -> bool {
    // YAML 1.1, "Boolean" and "Null" language-independent types.
    const OTHERS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];
    let is_plain = |b: u8| {
        b.is_ascii_alphanumeric() || b"-_./@:".contains(&b) || (!in_flow && b"{}".contains(&b))
    };
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && !text.ends_with(':')
        && text.bytes().all(is_plain)
        && !OTHERS.iter().any(|other| other.eq_ignore_ascii_case(text))
}
