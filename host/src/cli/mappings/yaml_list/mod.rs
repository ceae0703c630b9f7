//! Edits a list of mappings in YAML as a person would: everything around a change stays the same, byte for byte.
//!
//! Each change is made to the text. The new text is parsed again, and is used only if it contains exactly the expected
//! entries.

mod block;
mod flow;
mod lines;
mod style;
#[cfg(test)]
mod tests;

pub(in crate::cli) use style::scalar;

use block::BlockList;
use flow::FlowList;
use lines::{LineKind, TextLines};
use style::EntryStyle;
use thiserror::Error;

use crate::config::yaml::{self, Node, Value};

const USERNAME: &str = "username";
const GROUPS: &str = "groups";

/// A mapping to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct MappingEntry {
    /// The ARN of a user or a role.
    pub(in crate::cli) arn: String,
    /// The template of the username.
    pub(in crate::cli) username: String,
    /// The templates of the groups.
    pub(in crate::cli) groups: Vec<String>,
}

impl MappingEntry {
    /// Returns the value of a field; `None` for the groups, which are a list.
    fn value(&self, name: &str) -> Option<&str> {
        match name {
            GROUPS => None,
            USERNAME => Some(&self.username),
            _ => Some(&self.arn),
        }
    }
}

/// Why a list cannot be edited.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(in crate::cli) enum ListEditError {
    /// The text is not valid YAML.
    #[error("is not valid YAML: {location}{message}")]
    Syntax {
        /// The line and column, if they are known.
        location: String,
        /// The message of the parser.
        message: String,
    },
    /// The text is YAML, but not a list.
    #[error("is {0}, not a list")]
    NotAList(&'static str),
    /// The layout of the list is not supported.
    #[error("has a layout that cannot be edited safely")]
    UnsupportedLayout,
}

/// Edits a list of mappings, and keeps the text around each change.
pub(in crate::cli) struct YamlListEditor<'a> {
    lines: TextLines<'a>,
    list: Node,
    /// The key of the ARN: `rolearn` or `userarn`.
    arn_key: &'static str,
}

impl<'a> YamlListEditor<'a> {
    /// Parses a list whose entries have their ARN in `arn_key`.
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

    /// Returns the indexes of the entries for `arn`. Ignores case.
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

    /// Returns whether the entry at `index` equals `entry`. Ignores the case of the ARN.
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

    /// Returns the text with `entry` at the end of the list.
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

    /// Returns the text with `entry` instead of the entry at `index`.
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

    /// Returns the text without the entry at `index`.
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

    /// Returns the text with `entry` as the first entry.
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

    /// Returns `new` if it contains exactly the expected entries.
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

/// Returns whether `item` has the fields of `entry` and no others.
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

/// Returns the value of a field of an entry. Ignores the case of the key.
fn find_field<'a>(item: &'a Node, name: &str) -> Option<&'a Value> {
    let Value::Map(entries) = &item.value else {
        return None;
    };
    let found = entries
        .iter()
        .find(|(key, _)| key.name.eq_ignore_ascii_case(name));
    found.map(|(_, node)| &node.value)
}
