//! Changes of one value in the text of a kubeconfig. Everything else stays to the byte.
//!
//! An edit knows the usual layouts and trusts none of them: the new text is parsed again, and is used only if it differs
//! from the old text in the intended value alone.

mod block;
mod flow;
mod text;

use granit_parser::ScanError;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::syntax::{self, Node, Syntax};
use super::tree::Tree;

/// The reason why a text cannot be edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The text is not YAML, or has duplicate keys. The message quotes nothing of the text.
    #[error("is not valid YAML{0}")]
    Syntax(String),
    /// The text has several documents.
    #[error(
        "has several YAML documents, of which kubectl reads only the first; split the file first"
    )]
    SeveralDocuments,
    /// The text is YAML, but no map.
    #[error("is not a kubeconfig, since it is not a map")]
    NotAMap,
    /// A merge key is not the first member of its map. kubectl lets it replace the members before it, unlike YAML.
    #[error(
        "has a merge key `<<` after other members in line {0}, which kubectl lets replace them; write the merge key first, or its members instead"
    )]
    LateMerge(usize),
    /// kubectl reads a character as a line break, so that a comment ends there.
    #[error(
        "has the character U+{:04X} in line {line}, which kubectl reads as a line break; remove the character",
        u32::from(*.char)
    )]
    LineBreak {
        /// The character.
        char: char,
        /// The number of the line.
        line: usize,
    },
    /// The result would not be the intended one.
    #[error("has a layout that cannot be edited safely, such as an alias or a merge key")]
    UnsupportedLayout,
}

impl EditError {
    pub(super) fn syntax(error: &ScanError) -> Self {
        let marker = error.marker();
        Self::at(marker.line(), marker.col() + 1)
    }

    fn at(line: usize, column: usize) -> Self {
        Self::Syntax(format!(": line {line}, column {column}"))
    }
}

/// A step from a value to a part of the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Member(&'static str),
    Item(usize),
}

/// A change of one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Adds or replaces a member of the map at the path.
    Set(Vec<Step>, &'static str, Tree),
    /// Adds an item to a list, which is a member of the map at the path. A missing list is created.
    Append(Vec<Step>, &'static str, Tree),
    /// Removes a member of the map at the path.
    Remove(Vec<Step>, &'static str),
}

/// Parses a text into values: null if it has only comments.
pub(super) fn parse_values(text: &str) -> Result<Value, EditError> {
    // Refuses several documents, which the other parser reports as another error.
    let Some(root) = syntax::parse(text)? else {
        return Ok(Value::Null);
    };
    refuse_other_readings(text, &root)?;
    // A snippet would quote secrets.
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| match error.location() {
        Some(at) => EditError::at(
            usize::try_from(at.line()).unwrap_or_default(),
            usize::try_from(at.column()).unwrap_or_default(),
        ),
        None => EditError::Syntax(String::new()),
    })
}

/// Refuses what kubectl reads in another way than this program: a user would log in with other arguments than those that
/// are shown and changed here.
fn refuse_other_readings(text: &str, root: &Node) -> Result<(), EditError> {
    let line_of = |at: usize| {
        let before = text.get(..at).unwrap_or_default();
        before.matches('\n').count() + 1
    };
    if let Some((at, char)) = text.char_indices().find(|(_, char)| is_line_break(*char)) {
        let line = line_of(at);
        return Err(EditError::LineBreak { char, line });
    }
    match root.late_merge() {
        Some(merge) => Err(EditError::LateMerge(line_of(merge.range.start))),
        None => Ok(()),
    }
}

/// Returns whether a character is a line break only in YAML 1.1, which kubectl reads.
fn is_line_break(char: char) -> bool {
    matches!(char, '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Returns `text` after a change.
pub(super) fn apply(text: &str, change: &Change) -> Result<Zeroizing<String>, EditError> {
    let mut expected = parse_values(text)?;
    change_value(&mut expected, change).ok_or(EditError::UnsupportedLayout)?;
    let new = Zeroizing::new(change_text(text, change)?);
    match parse_values(&new) {
        Ok(found) if found == expected => Ok(new),
        _ => Err(EditError::UnsupportedLayout),
    }
}

/// Applies a change to parsed values: the definition of what the change of the text has to do.
pub(super) fn change_value(root: &mut Value, change: &Change) -> Option<()> {
    let (Change::Set(path, key, _) | Change::Append(path, key, _) | Change::Remove(path, key)) =
        change;
    let mut map = root;
    for step in path {
        map = match step {
            Step::Member(name) => map.get_mut(*name)?,
            Step::Item(index) => map.get_mut(*index)?,
        };
    }
    if map.is_null() {
        *map = Value::Object(Map::new());
    }
    let map = map.as_object_mut()?;
    match change {
        Change::Set(_, _, value) => {
            map.insert((*key).to_owned(), value.to_json());
        }
        Change::Append(_, _, value) => {
            let list = map.entry(*key).or_insert(Value::Null);
            if list.is_null() {
                *list = Value::Array(Vec::new());
            }
            list.as_array_mut()?.push(value.to_json());
        }
        Change::Remove(..) => {
            map.remove(*key)?;
        }
    }
    Some(())
}

fn change_text(text: &str, change: &Change) -> Result<String, EditError> {
    let root = syntax::parse(text)?;
    let (Change::Set(path, ..) | Change::Append(path, ..) | Change::Remove(path, ..)) = change;
    let Some(root) = root.filter(|root| !root.is_null()) else {
        return match change {
            Change::Set(_, key, value) if path.is_empty() => Ok(block::fill(text, key, value)),
            Change::Append(_, key, value) if path.is_empty() => {
                let list = Tree::List(vec![value.clone()]);
                Ok(block::fill(text, key, &list))
            }
            _ => Err(EditError::UnsupportedLayout),
        };
    };
    let target = follow(&root, path).ok_or(EditError::UnsupportedLayout)?;
    let edit = Edit { text, root: &root };
    edit.change(target, change)
        .ok_or(EditError::UnsupportedLayout)
}

/// A value on a path.
#[derive(Clone, Copy)]
struct Target<'a> {
    /// The map with the key of the value; `None` for the root and for items.
    parent: Option<(&'a Node, &'a Node)>,
    node: &'a Node,
    /// Whether the value is in a collection in flow style.
    in_flow: bool,
}

fn follow<'a>(root: &'a Node, path: &[Step]) -> Option<Target<'a>> {
    let mut target = Target {
        parent: None,
        node: root,
        in_flow: false,
    };
    for step in path {
        let in_flow = target.in_flow || target.node.is_flow();
        target = match step {
            Step::Member(name) => {
                let (_, key, node) = target.node.find(name)?;
                Target {
                    parent: Some((target.node, key)),
                    node,
                    in_flow,
                }
            }
            Step::Item(index) => Target {
                parent: None,
                node: target.node.items().get(*index)?,
                in_flow,
            },
        };
    }
    Some(target)
}

/// The text and its tree.
struct Edit<'a> {
    text: &'a str,
    root: &'a Node,
}

impl Edit<'_> {
    fn change(&self, target: Target<'_>, change: &Change) -> Option<String> {
        let node = target.node;
        let in_flow = target.in_flow || node.is_flow();
        match change {
            Change::Set(_, key, value) => match node.find(key) {
                Some((_, key_node, old)) => self.replace(key, key_node, old, value, node, in_flow),
                None => self.insert(target, key, value),
            },
            Change::Append(_, key, value) => {
                let list = match node.find(key) {
                    Some((_, _, list)) if !list.is_empty() => list,
                    _ => {
                        let list = Tree::List(vec![value.clone()]);
                        let set = Change::Set(Vec::new(), key, list);
                        return self.change(target, &set);
                    }
                };
                match &list.syntax {
                    Syntax::List { items, is_flow } => match *is_flow || in_flow {
                        true => self.append_to_flow(list, items, value),
                        false => self.append_to_block(items, value),
                    },
                    _ => None,
                }
            }
            Change::Remove(_, key) => {
                let (index, key, old) = node.find(key)?;
                match in_flow {
                    true => self.remove_from_flow(node, index),
                    false => self.remove_from_block(node, key, old),
                }
            }
        }
    }

    /// Adds a member to a map.
    fn insert(&self, target: Target<'_>, key: &'static str, value: &Tree) -> Option<String> {
        let node = target.node;
        match (&node.syntax, target.parent) {
            // A missing value or empty braces, such as `user:`.
            (_, Some((map, key_node)))
                if node.is_null() || (node.is_empty() && !target.in_flow) =>
            {
                let value = Tree::Map(vec![(key, value.clone())]);
                let name = key_node.as_text()?;
                self.replace(name, key_node, node, &value, map, target.in_flow)
            }
            (Syntax::Map { members, is_flow }, _) => match is_flow {
                true => self.insert_into_flow(node, members, key, value),
                false => self.insert_into_block(members, key, value),
            },
            _ => None,
        }
    }

    /// Replaces the value of a member.
    fn replace(
        &self,
        name: &str,
        key: &Node,
        old: &Node,
        value: &Tree,
        map: &Node,
        in_flow: bool,
    ) -> Option<String> {
        if old.has_properties {
            return None;
        }
        match in_flow {
            true => self.replace_in_flow(key, old, value, map),
            false => self.replace_in_block(name, key, old, value),
        }
    }
}
