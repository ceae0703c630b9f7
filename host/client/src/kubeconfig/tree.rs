//! Values to write, in the order of their members, as YAML in block or flow style.

use std::iter;

use serde_json::{Map, Value};

/// A value to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    Text(String),
    Bool(bool),
    List(Vec<Tree>),
    Map(Vec<(&'static str, Tree)>),
}

/// The layout of lists and maps in block style.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BlockLayout {
    /// The number of spaces between the column of a key and the dashes of its list.
    pub(super) list_indent: usize,
}

/// The layout of lists and maps in flow style.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FlowLayout<'a> {
    /// Whether keys and values have quotes wherever JSON needs them.
    pub(super) is_json: bool,
    /// The spaces for each level, if each member has its own line.
    pub(super) unit: Option<&'a str>,
    /// The line break.
    pub(super) ending: &'static str,
}

/// The quotes of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quotes {
    /// No quotes, unless the text needs them.
    None,
    Single,
    Double,
}

impl Tree {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn texts(texts: &[String]) -> Self {
        Self::List(texts.iter().map(Self::text).collect())
    }

    /// Returns the value as JSON.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.clone()),
            Self::Bool(value) => Value::Bool(*value),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(members) => {
                let members = members.iter();
                let members = members.map(|(key, value)| ((*key).to_owned(), value.to_json()));
                Value::Object(Map::from_iter(members))
            }
        }
    }

    /// Renders `key: value` as lines in block style whose first column is `column`.
    pub(super) fn member_lines(
        &self,
        key: &str,
        column: usize,
        layout: BlockLayout,
    ) -> Vec<String> {
        let spaces = " ".repeat(column);
        match self {
            Self::List(items) if !items.is_empty() => {
                let column = column + layout.list_indent;
                let items = items
                    .iter()
                    .flat_map(|item| item.item_lines(column, layout));
                iter::once(format!("{spaces}{key}:")).chain(items).collect()
            }
            Self::Map(members) if !members.is_empty() => iter::once(format!("{spaces}{key}:"))
                .chain(map_lines(members, column + 2, layout))
                .collect(),
            _ => vec![format!(
                "{spaces}{key}: {}",
                self.flow(FlowLayout::default())
            )],
        }
    }

    /// Renders `- value` as lines in block style with the dash in `column`.
    pub(super) fn item_lines(&self, column: usize, layout: BlockLayout) -> Vec<String> {
        let dash = format!("{}- ", " ".repeat(column));
        match self {
            Self::Map(members) if !members.is_empty() => {
                let mut lines = map_lines(members, column + 2, layout);
                if let Some(first) = lines.first_mut() {
                    *first = format!("{dash}{}", first.trim_start());
                }
                lines
            }
            Self::Text(text) => vec![format!("{dash}{}", Quotes::None.write(text, false))],
            _ => vec![format!("{dash}{}", self.flow(FlowLayout::default()))],
        }
    }

    /// Renders the value in flow style on one line.
    pub(super) fn flow(&self, layout: FlowLayout<'_>) -> String {
        let layout = FlowLayout {
            unit: None,
            ..layout
        };
        self.flow_lines("", layout)
    }

    /// Renders the value in flow style. Lines after the first start with `lead`.
    pub(super) fn flow_lines(&self, lead: &str, layout: FlowLayout<'_>) -> String {
        let inner = layout.unit.map(|unit| format!("{lead}{unit}"));
        let nested = inner.as_deref().unwrap_or_default();
        match self {
            Self::Text(text) => match layout.is_json {
                true => Quotes::Double.write(text, true),
                false => Quotes::None.write(text, true),
            },
            Self::Bool(value) => value.to_string(),
            Self::List(items) => {
                let items = items.iter().map(|item| item.flow_lines(nested, layout));
                enclose('[', items.collect(), ']', lead, inner.as_deref(), layout)
            }
            Self::Map(members) => {
                let members = members.iter().map(|(key, value)| {
                    let quote = if layout.is_json { "\"" } else { "" };
                    let value = value.flow_lines(nested, layout);
                    format!("{quote}{key}{quote}: {value}")
                });
                enclose('{', members.collect(), '}', lead, inner.as_deref(), layout)
            }
        }
    }
}

fn map_lines(members: &[(&'static str, Tree)], column: usize, layout: BlockLayout) -> Vec<String> {
    let lines = members.iter();
    lines
        .flat_map(|(key, value)| value.member_lines(key, column, layout))
        .collect()
}

/// Puts `parts` between brackets, on their own lines if `inner` is the start of those.
fn enclose(
    open: char,
    parts: Vec<String>,
    close: char,
    lead: &str,
    inner: Option<&str>,
    layout: FlowLayout<'_>,
) -> String {
    match inner {
        Some(inner) if !parts.is_empty() => {
            let ending = layout.ending;
            let separator = format!(",{ending}{inner}");
            let parts = parts.join(&separator);
            format!("{open}{ending}{inner}{parts}{ending}{lead}{close}")
        }
        _ => format!("{open}{}{close}", parts.join(", ")),
    }
}

impl Quotes {
    /// Renders `text` as a scalar that every version of YAML reads as text.
    pub(super) fn write(self, text: &str, in_flow: bool) -> String {
        match self {
            Self::None if is_plain(text, in_flow) => text.to_owned(),
            Self::Single if !text.contains(needs_escape) => {
                format!("'{}'", text.replace('\'', "''"))
            }
            // A JSON string is also a double-quoted scalar.
            _ => {
                let mut quoted = String::new();
                for char in Value::from(text).to_string().chars() {
                    match needs_escape(char) {
                        true => quoted.push_str(&format!("\\u{:04x}", u32::from(char))),
                        false => quoted.push(char),
                    }
                }
                quoted
            }
        }
    }
}

/// Returns whether a character needs an escape in YAML 1.1, which kubectl reads. kubectl refuses a file with a control
/// character, and reads U+0085 as a space. JSON needs no escape for some of these characters.
fn needs_escape(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
}

/// Returns whether `text` needs no quotes, not even in YAML 1.1, which kubectl reads.
fn is_plain(text: &str, in_flow: bool) -> bool {
    // YAML 1.1, "Boolean" and "Null" language-independent types.
    const OTHERS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null"];
    let is_plain = |char: char| {
        char.is_ascii_alphanumeric() || "-_./@:".contains(char) || (!in_flow && char == ' ')
    };
    let is_option = text.starts_with("--") && text.len() > 2;
    (text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/') || is_option)
        && !text.ends_with([':', ' '])
        && !text.contains(": ")
        && text.chars().all(is_plain)
        && !text.starts_with("---")
        && !OTHERS.iter().any(|other| other.eq_ignore_ascii_case(text))
}
