//! Changes a list of mappings in YAML as a person would: what is not changed stays as it was to the byte.
//!
//! Each change is made in the text, and counts only if the text, read again, holds exactly what it should.

mod block;
mod flow;
mod lines;
mod style;
#[cfg(test)]
mod tests;

use std::fmt;

pub(in crate::cli) use style::scalar;

use block::BlockList;
use flow::FlowList;
use lines::{LineKind, TextLines};
use style::EntryStyle;

use crate::config::yaml::{self, Node, Value};

const USERNAME: &str = "username";
const GROUPS: &str = "groups";

/// A mapping to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct MappingEntry {
    /// Of a user or a role.
    pub(in crate::cli) arn: String,
    /// A template.
    pub(in crate::cli) username: String,
    /// Templates.
    pub(in crate::cli) groups: Vec<String>,
}

impl MappingEntry {
    /// The value of a field that is no list.
    fn value(&self, name: &str) -> Option<&str> {
        match name {
            GROUPS => None,
            USERNAME => Some(&self.username),
            _ => Some(&self.arn),
        }
    }
}

/// Why a list cannot be edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum ListEditError {
    /// It is not YAML.
    Syntax {
        /// Line and column, where they are known.
        location: String,
        /// What the parser says.
        message: String,
    },
    /// It is YAML, but no list.
    NotAList(&'static str),
    /// It is a list that is written in a way that is not changed by program.
    UnsupportedLayout,
}

impl fmt::Display for ListEditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { location, message } => write!(f, "is not YAML: {location}{message}"),
            Self::NotAList(kind) => write!(f, "is {kind}, not a list"),
            Self::UnsupportedLayout => {
                f.write_str("is written in a way that cannot be changed safely")
            }
        }
    }
}

/// Edits a list of mappings, and keeps the text around each change.
pub(in crate::cli) struct YamlListEditor<'a> {
    lines: TextLines<'a>,
    list: Node,
    /// The key of the ARN: `rolearn` or `userarn`.
    arn_key: &'static str,
}

impl<'a> YamlListEditor<'a> {
    /// Reads a list whose entries have their ARN in `arn_key`.
    pub(in crate::cli) fn parse(
        text: &'a str,
        arn_key: &'static str,
    ) -> Result<Self, ListEditError> {
        let list = yaml::parse(text).map_err(|error| ListEditError::Syntax {
            location: match error.position {
                Some(position) => format!("line {}, column {}: ", position.line, position.column),
                None => String::new(),
            },
            message: error.message,
        })?;
        match &list.value {
            Value::List(_) | Value::Null => {}
            other => return Err(ListEditError::NotAList(other.kind())),
        }
        Ok(Self {
            lines: TextLines::new(text),
            list,
            arn_key,
        })
    }

    /// The entries that have `arn`, whatever its case.
    pub(in crate::cli) fn find_by_arn(&self, arn: &str) -> Vec<usize> {
        let is_it = |item: &Node| match find_field(item, self.arn_key) {
            Some(Value::Text(text)) => text.eq_ignore_ascii_case(arn),
            _ => false,
        };
        let items = self.items().iter().enumerate();
        items
            .filter(|(_, item)| is_it(item))
            .map(|(index, _)| index)
            .collect()
    }

    /// Whether the entry at `index` says what `entry` does, but for the case of the ARN.
    pub(in crate::cli) fn has_entry(&self, index: usize, entry: &MappingEntry) -> bool {
        let Some(item) = self.items().get(index) else {
            return false;
        };
        let Some(Value::Text(arn)) = find_field(item, self.arn_key) else {
            return false;
        };
        let same = MappingEntry {
            arn: arn.clone(),
            ..entry.clone()
        };
        arn.eq_ignore_ascii_case(&entry.arn) && matches_entry(item, &same, self.arn_key)
    }

    /// The text with `entry` after the others.
    pub(in crate::cli) fn append(&self, entry: &MappingEntry) -> Result<String, ListEditError> {
        let new = match self.items() {
            [] => self.append_first(entry),
            items => match BlockList::find(&self.lines, items, self.arn_key) {
                Some(block) => block.append(entry),
                None => self.flow().and_then(|flow| flow.append(entry)),
            },
        };
        let mut expected: Vec<Expected<'_>> = self.items().iter().map(Expected::Same).collect();
        expected.push(Expected::New(entry));
        self.verify(new, &expected)
    }

    /// The text with `entry` in place of the one at `index`.
    pub(in crate::cli) fn replace(
        &self,
        index: usize,
        entry: &MappingEntry,
    ) -> Result<String, ListEditError> {
        let new = match BlockList::find(&self.lines, self.items(), self.arn_key) {
            Some(block) => block.replace(index, entry),
            None => self.flow().and_then(|flow| flow.replace(index, entry)),
        };
        let expected = self.items().iter().enumerate().map(|(at, item)| {
            if at == index {
                Expected::New(entry)
            } else {
                Expected::Same(item)
            }
        });
        self.verify(new, &expected.collect::<Vec<_>>())
    }

    /// The text without the entry at `index`.
    pub(in crate::cli) fn remove(&self, index: usize) -> Result<String, ListEditError> {
        let new = match BlockList::find(&self.lines, self.items(), self.arn_key) {
            Some(block) => block.remove(index),
            None => self.flow().and_then(|flow| flow.remove(index)),
        };
        let others = self
            .items()
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != index);
        let expected: Vec<Expected<'_>> = others.map(|(_, item)| Expected::Same(item)).collect();
        self.verify(new, &expected)
    }

    fn items(&self) -> &[Node] {
        match &self.list.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    fn flow(&self) -> Option<FlowList<'_>> {
        FlowList::find(&self.lines, self.list.position, self.items(), self.arn_key)
    }

    /// The text with `entry`, where there is no other.
    fn append_first(&self, entry: &MappingEntry) -> Option<String> {
        let lines = &self.lines;
        let new = EntryStyle::default_for(self.arn_key, 0).lines(entry, 0);
        let mut contents = (0..lines.count()).filter(|line| lines.kind(*line) == LineKind::Content);
        match (contents.next_back(), contents.next()) {
            (None, _) => Some(lines.with_lines(lines.count(), lines.count(), &new)),
            (Some(line), None) if matches!(lines.line(line).trim(), "[]" | "null" | "~") => {
                Some(lines.with_lines(line, line + 1, &new))
            }
            _ if lines.char_at(self.list.position) == Some('[') => {
                FlowList::fill(lines, self.list.position, entry, self.arn_key)
            }
            _ => Some(lines.with_lines(lines.count(), lines.count(), &new)),
        }
    }

    /// `new`, if it holds what it should.
    fn verify(
        &self,
        new: Option<String>,
        expected: &[Expected<'_>],
    ) -> Result<String, ListEditError> {
        let new = new.ok_or(ListEditError::UnsupportedLayout)?;
        let read = yaml::parse(&new).map_err(|_| ListEditError::UnsupportedLayout)?;
        let Value::List(items) = &read.value else {
            return Err(ListEditError::UnsupportedLayout);
        };
        let is_expected = |(item, expected): (&Node, &Expected<'_>)| match expected {
            Expected::Same(old) => is_same(&item.value, &old.value),
            Expected::New(entry) => matches_entry(item, entry, self.arn_key),
        };
        if items.len() == expected.len() && items.iter().zip(expected).all(is_expected) {
            Ok(new)
        } else {
            Err(ListEditError::UnsupportedLayout)
        }
    }
}

enum Expected<'a> {
    Same(&'a Node),
    New(&'a MappingEntry),
}

fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Text(a), Value::Text(b)) | (Value::Number(a), Value::Number(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(&a.value, &b.value))
        }
        (Value::Map(a), Value::Map(b)) => {
            let is_same = |((a, x), (b, y)): (&(yaml::Key, Node), &(yaml::Key, Node))| {
                a.name == b.name && is_same(&x.value, &y.value)
            };
            a.len() == b.len() && a.iter().zip(b).all(is_same)
        }
        _ => false,
    }
}

/// Whether `item` has the fields of `entry` and no others.
fn matches_entry(item: &Node, entry: &MappingEntry, arn_key: &str) -> bool {
    let Value::Map(fields) = &item.value else {
        return false;
    };
    let text_is =
        |key, text: &str| matches!(find_field(item, key), Some(Value::Text(is)) if is == text);
    let groups = match find_field(item, GROUPS) {
        None => Some(&[] as &[Node]),
        Some(Value::List(groups)) => Some(&**groups),
        Some(_) => None,
    };
    let is_group =
        |(node, group): (&Node, &String)| matches!(&node.value, Value::Text(is) if is == group);
    let has_groups = groups.is_some_and(|groups| {
        groups.len() == entry.groups.len() && groups.iter().zip(&entry.groups).all(is_group)
    });
    let is_known = |(key, _): &(yaml::Key, Node)| {
        [arn_key, USERNAME, GROUPS]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&key.name))
    };
    text_is(arn_key, &entry.arn)
        && text_is(USERNAME, &entry.username)
        && has_groups
        && fields.len() <= 3
        && fields.iter().all(is_known)
}

/// A field of an entry, whatever the case of its key.
fn find_field<'a>(item: &'a Node, name: &str) -> Option<&'a Value> {
    let Value::Map(entries) = &item.value else {
        return None;
    };
    let found = entries
        .iter()
        .find(|(key, _)| key.name.eq_ignore_ascii_case(name));
    found.map(|(_, node)| &node.value)
}
