//! Changes of lists and maps in block style.

use super::Edit;
use super::text::{column, insert_lines, line_after, line_end, line_start, splice, starts_line};
use crate::kubeconfig::syntax::{Node, Syntax};
use crate::kubeconfig::tree::{BlockLayout, FlowLayout, Quotes, Tree};

/// Returns a text without values, such as an empty one, with a first member at its end.
pub(super) fn fill(text: &str, key: &str, value: &Tree) -> String {
    let lines = value.member_lines(key, 0, BlockLayout::default());
    insert_lines(text, text.len(), &lines).unwrap_or_default()
}

impl Edit<'_> {
    pub(super) fn insert_into_block(
        &self,
        members: &[(Node, Node)],
        key: &str,
        value: &Tree,
    ) -> Option<String> {
        let (first, _) = members.first()?;
        let (last_key, last) = members.last()?;
        let column = column(self.text, first.range.start);
        let lines = value.member_lines(key, column, self.block_layout());
        let end = self.end_with_comments(last_key.range.end.max(last.range.end), column.max(1));
        insert_lines(self.text, end, &lines)
    }

    pub(super) fn append_to_block(&self, items: &[Node], value: &Tree) -> Option<String> {
        let last = items.last()?;
        let dash = self.dash(last)?;
        let column = column(self.text, dash);
        let mut lines = value.item_lines(column, self.block_layout());
        // Blank lines separate the items of some lists.
        if items.len() > 1 && self.is_blank_before(dash) {
            lines.insert(0, String::new());
        }
        let end = self.end_with_comments(last.range.end, column + 1);
        insert_lines(self.text, end, &lines)
    }

    pub(super) fn replace_in_block(
        &self,
        name: &str,
        key: &Node,
        old: &Node,
        value: &Tree,
    ) -> Option<String> {
        let is_scalar = matches!(value, Tree::Text(_) | Tree::Bool(_));
        if is_scalar && matches!(old.syntax, Syntax::Scalar { .. }) {
            return self.replace_scalar(key, old, value, false);
        }
        if is_scalar {
            return None;
        }
        let column = column(self.text, key.range.start);
        // The key may have quotes, and stays as it is.
        let mut lines = value.member_lines(name, column, self.block_layout());
        lines.remove(0);
        if old.is_empty() {
            let colon = self.colon_after(key)?;
            let range = if old.range.is_empty() {
                colon..colon
            } else {
                let before = self.text.get(colon..old.range.start)?;
                let spaces = before.len() - before.trim_end_matches([' ', '\t']).len();
                old.range.start - spaces..old.range.end
            };
            let inserted = insert_lines(self.text, line_end(self.text, range.end), &lines)?;
            return splice(&inserted, &[(range, "")]);
        }
        match &old.syntax {
            Syntax::List { is_flow: true, .. } if matches!(value, Tree::List(_)) => {
                let new = value.flow(FlowLayout {
                    is_json: self.has_quotes(old),
                    ..FlowLayout::default()
                });
                splice(self.text, &[(old.range.clone(), &new)])
            }
            Syntax::List { is_flow: false, .. } | Syntax::Map { is_flow: false, .. } => {
                let from = line_end(self.text, key.range.end);
                let to = line_after(self.text, old.range.end);
                let kept = splice(self.text, &[(from..to, "")])?;
                insert_lines(&kept, from, &lines)
            }
            _ => None,
        }
    }

    /// Replaces a scalar by another, in the same quotes.
    pub(super) fn replace_scalar(
        &self,
        key: &Node,
        old: &Node,
        value: &Tree,
        is_json: bool,
    ) -> Option<String> {
        let written = self.text.get(old.range.clone())?;
        let quotes = match written.chars().next() {
            Some('\'') => Quotes::Single,
            Some('"') => Quotes::Double,
            _ if is_json => Quotes::Double,
            _ => Quotes::None,
        };
        let new = match value {
            Tree::Text(text) => quotes.write(text, true),
            Tree::Bool(value) => value.to_string(),
            Tree::List(_) | Tree::Map(_) => return None,
        };
        if old.range.is_empty() {
            let colon = self.colon_after(key)?;
            return splice(self.text, &[(colon..colon, &format!(" {new}"))]);
        }
        if let Syntax::Scalar { style, .. } = &old.syntax
            && matches!(
                style,
                granit_parser::ScalarStyle::Literal | granit_parser::ScalarStyle::Folded
            )
        {
            return None;
        }
        splice(self.text, &[(old.range.clone(), &new)])
    }

    pub(super) fn remove_from_block(&self, map: &Node, key: &Node, old: &Node) -> Option<String> {
        if map.members().len() < 2 || !starts_line(self.text, key.range.start) {
            return None;
        }
        let from = line_start(self.text, key.range.start);
        let to = line_after(self.text, key.range.end.max(old.range.end));
        splice(self.text, &[(from..to, "")])
    }

    /// Returns the layout of the first list of the document in block style.
    fn block_layout(&self) -> BlockLayout {
        let list_indent = self.root.members().iter().find_map(|(key, value)| {
            let dash = self.dash(value.items().first()?)?;
            let key = column(self.text, key.range.start);
            column(self.text, dash).checked_sub(key)
        });
        BlockLayout {
            list_indent: list_indent.unwrap_or_default(),
        }
    }

    /// Returns the offset of the dash of an item; `None` if the dash is on another line.
    fn dash(&self, item: &Node) -> Option<usize> {
        let start = line_start(self.text, item.range.start);
        let before = self.text.get(start..item.range.start)?;
        let dash = before.rfind('-')?;
        let is_dash = before.get(dash + 1..)?.trim_start_matches(' ').is_empty()
            && before.get(..dash)?.trim_start_matches(' ').is_empty();
        is_dash.then_some(start + dash)
    }

    /// Returns whether a blank line is before the line at `offset` and the comments above that line.
    fn is_blank_before(&self, offset: usize) -> bool {
        let before = self.text.get(..line_start(self.text, offset));
        let mut lines = before.unwrap_or_default().lines().rev();
        let line = lines.find(|line| !line.trim_start().starts_with('#'));
        line.is_some_and(|line| line.trim().is_empty())
    }

    /// Returns the end of the line at `end`, and of the comments below that are indented by at least `indent`.
    fn end_with_comments(&self, end: usize, indent: usize) -> usize {
        let mut end = line_after(self.text, end);
        let mut at = end;
        for line in self
            .text
            .get(end..)
            .unwrap_or_default()
            .split_inclusive('\n')
        {
            at += line.len();
            let content = line.trim_start_matches(' ');
            if content.starts_with('#') && line.len() - content.len() >= indent {
                end = at;
            } else if !content.trim().is_empty() {
                break;
            }
        }
        end
    }

    /// Returns the offset after the colon of a key.
    pub(super) fn colon_after(&self, key: &Node) -> Option<usize> {
        let rest = self.text.get(key.range.end..)?;
        let colon = rest.trim_start_matches([' ', '\t']).strip_prefix(':')?;
        Some(self.text.len() - colon.len())
    }
}
