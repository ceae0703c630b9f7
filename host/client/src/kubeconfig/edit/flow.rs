//! Changes of lists and maps in flow style, which includes JSON.

use std::ops::Range;

use super::Edit;
use super::text::{lead, line_end, line_ending, splice, starts_line};
use crate::kubeconfig::syntax::{Node, Syntax};
use crate::kubeconfig::tree::{FlowLayout, Tree};

impl Edit<'_> {
    pub(super) fn insert_into_flow(
        &self,
        map: &Node,
        members: &[(Node, Node)],
        key: &'static str,
        value: &Tree,
    ) -> Option<String> {
        let children: Vec<Range<usize>> = members
            .iter()
            .map(|(key, value)| key.range.start..key.range.end.max(value.range.end))
            .collect();
        let is_json = self.has_quotes(map) || (members.is_empty() && self.has_quotes(self.root));
        self.add(map, &children, |lead, layout| {
            let layout = FlowLayout { is_json, ..layout };
            let quote = if is_json { "\"" } else { "" };
            let value = value.flow_lines(lead, layout);
            format!("{quote}{key}{quote}: {value}")
        })
    }

    pub(super) fn append_to_flow(
        &self,
        list: &Node,
        items: &[Node],
        value: &Tree,
    ) -> Option<String> {
        let children: Vec<Range<usize>> = items.iter().map(|item| item.range.clone()).collect();
        let is_json = self.has_quotes(list);
        self.add(list, &children, |lead, layout| {
            value.flow_lines(lead, FlowLayout { is_json, ..layout })
        })
    }

    /// Adds a child at the end of a collection, on its own line if the last child has its own line.
    fn add(
        &self,
        collection: &Node,
        children: &[Range<usize>],
        render: impl Fn(&str, FlowLayout<'_>) -> String,
    ) -> Option<String> {
        let ending = line_ending(self.text);
        let unit = self.flow_unit();
        let Some(last) = children.last() else {
            let at = collection.range.start + 1;
            // A collection with comments keeps them after the child.
            let is_bare = self
                .text
                .get(at..collection.range.end - 1)?
                .trim()
                .is_empty();
            return match (unit, is_bare) {
                (Some(unit), true) => {
                    let outer = lead(self.text, collection.range.start);
                    let inner = format!("{outer}{unit}");
                    let child = render(&inner, layout(Some(unit), ending));
                    let new = format!("{ending}{inner}{child}{ending}{outer}");
                    splice(self.text, &[(at..collection.range.end - 1, &new)])
                }
                _ => splice(self.text, &[(at..at, &render("", layout(None, ending)))]),
            };
        };
        let is_own_line = starts_line(self.text, last.start) && last.start > collection.range.start;
        if !is_own_line {
            let new = format!(", {}", render("", layout(None, ending)));
            return splice(self.text, &[(last.end..last.end, &new)]);
        }
        let lead = lead(self.text, last.start);
        let child = render(lead, layout(unit, ending));
        // A comment behind the last child stays behind it.
        let line = line_end(self.text, last.end);
        let rest = self.text.get(last.end..line)?;
        let after_comma = rest.trim_start().strip_prefix(',');
        let comment = after_comma.unwrap_or(rest).trim_start();
        if !comment.starts_with('#') || !rest.ends_with('\n') {
            let new = format!(",{ending}{lead}{child}");
            return splice(self.text, &[(last.end..last.end, &new)]);
        }
        let (comma, after) = match after_comma {
            Some(_) => ("", ","),
            None => (",", ""),
        };
        let new = format!("{lead}{child}{after}{ending}");
        splice(
            self.text,
            &[(last.end..last.end, comma), (line..line, &new)],
        )
    }

    pub(super) fn replace_in_flow(
        &self,
        key: &Node,
        old: &Node,
        value: &Tree,
        map: &Node,
    ) -> Option<String> {
        let is_json = self.has_quotes(map);
        let is_scalar = matches!(value, Tree::Text(_) | Tree::Bool(_));
        match &old.syntax {
            Syntax::Alias => None,
            Syntax::Scalar { .. } if is_scalar => self.replace_scalar(key, old, value, is_json),
            Syntax::Scalar { .. } if !old.is_null() => None,
            Syntax::List { .. } | Syntax::Map { .. } if is_scalar => None,
            _ => {
                let unit = match starts_line(self.text, key.range.start) {
                    true => self.flow_unit(),
                    false => None,
                };
                let layout = FlowLayout {
                    is_json,
                    ..layout(unit, line_ending(self.text))
                };
                let new = value.flow_lines(lead(self.text, key.range.start), layout);
                if old.range.is_empty() {
                    let colon = self.colon_after(key)?;
                    return splice(self.text, &[(colon..colon, &format!(" {new}"))]);
                }
                splice(self.text, &[(old.range.clone(), &new)])
            }
        }
    }

    pub(super) fn remove_from_flow(&self, map: &Node, index: usize) -> Option<String> {
        let members = map.members();
        let (key, old) = members.get(index)?;
        let previous = index.checked_sub(1).and_then(|index| members.get(index));
        let range = match (members.get(index + 1), previous) {
            (Some((next, _)), _) => key.range.start..next.range.start,
            (None, Some((key, value))) => key.range.end.max(value.range.end)..old.range.end,
            (None, None) => return None,
        };
        // Between the members may be a comment about the other one.
        let between = match members.get(index + 1) {
            Some(_) => self.text.get(old.range.end..range.end)?,
            None => self.text.get(range.start..key.range.start)?,
        };
        if between.contains('#') {
            return None;
        }
        splice(self.text, &[(range, "")])
    }

    /// Returns whether the first key or text of a collection has double quotes.
    pub(super) fn has_quotes(&self, collection: &Node) -> bool {
        let first = match &collection.syntax {
            Syntax::Map { members, .. } => members.first().map(|(key, _)| key),
            Syntax::List { items, .. } => items.first(),
            _ => {
                return self
                    .text
                    .get(collection.range.start..)
                    .is_some_and(|text| text.starts_with('"'));
            }
        };
        first.is_some_and(|first| self.has_quotes(first))
    }

    /// Returns the white space of each level if the root is a map in flow style with a member on each line.
    fn flow_unit(&self) -> Option<&str> {
        let (first, _) = self.root.members().first()?;
        (self.root.is_flow() && first.range.start > 0 && starts_line(self.text, first.range.start))
            .then(|| lead(self.text, first.range.start))
            .filter(|unit| !unit.is_empty())
    }
}

fn layout<'a>(unit: Option<&'a str>, ending: &'static str) -> FlowLayout<'a> {
    FlowLayout {
        is_json: false,
        unit,
        ending,
    }
}
