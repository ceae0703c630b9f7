//! Block lists, in which a line that starts with `-` begins each entry.

use super::MappingEntry;
use super::lines::{LineKind, TextLines};
use super::style::EntryStyle;
use crate::config::yaml::Node;

/// The positions of the entries of a block list.
pub(super) struct BlockList<'a> {
    lines: &'a TextLines<'a>,
    items: &'a [Node],
    arn_key: &'static str,
    /// Spaces before each dash.
    dash: usize,
    /// The line of each dash.
    starts: Vec<usize>,
}

impl<'a> BlockList<'a> {
    /// Finds the entries; `None` if this is not a block list.
    pub(super) fn find(
        lines: &'a TextLines<'a>,
        items: &'a [Node],
        arn_key: &'static str,
    ) -> Option<Self> {
        let places: Vec<usize> = items
            .iter()
            .map(|item| lines.line_of(item.position))
            .collect::<Option<_>>()?;
        // A dash may be on its own line.
        let first = (0..=*places.first()?)
            .rev()
            .find(|line| has_dash(lines.line(*line)))?;
        let dash = lines.indent(first);
        let starts: Vec<usize> = (0..lines.count())
            .filter(|line| lines.indent(*line) == dash && has_dash(lines.line(*line)))
            .collect();
        let block = Self {
            lines,
            items,
            arn_key,
            dash,
            starts,
        };
        let is_own = |(index, place): (usize, &usize)| block.range(index).contains(place);
        let is_it = block.starts.len() == items.len() && places.iter().enumerate().all(is_own);
        is_it.then_some(block)
    }

    /// Returns the text with `entry` at the end of the list.
    pub(super) fn append(&self, entry: &MappingEntry) -> Option<String> {
        let last = self.items.len().checked_sub(1)?;
        let mut new = self.style(last)?.lines(entry, self.dash);
        // Blank lines separate the entries of some lists.
        let before = self.comments(last).checked_sub(1);
        if last > 0 && before.is_some_and(|line| self.lines.kind(line) == LineKind::Blank) {
            new.insert(0, String::new());
        }
        let end = self.end(last);
        Some(self.lines.with_lines(end, end, &new))
    }

    /// Returns the text with `entry` instead of the entry at `index`.
    pub(super) fn replace(&self, index: usize, entry: &MappingEntry) -> Option<String> {
        let new = self.style(index)?.lines(entry, self.dash);
        let from = *self.starts.get(index)?;
        Some(self.lines.with_lines(from, self.end(index), &new))
    }

    /// Returns the text without the entry at `index` and the comment directly above it.
    pub(super) fn remove(&self, index: usize) -> Option<String> {
        let is_blank = |line| self.lines.kind(line) == LineKind::Blank;
        let (mut from, mut to) = (self.comments(index), self.end(index));
        if self.items.len() == 1 {
            let empty = format!("{:1$}[]", "", self.dash);
            return Some(self.lines.with_lines(from, to, &[empty]));
        }
        // Keeps the blank lines before the entry, and removes those after it.
        if from.checked_sub(1).is_none_or(is_blank) {
            while to < self.lines.count() && is_blank(to) {
                to += 1;
            }
        }
        if to == self.lines.count() {
            while let Some(before) = from.checked_sub(1).filter(|line| is_blank(*line)) {
                from = before;
            }
        }
        Some(self.lines.with_lines(from, to, &[]))
    }

    fn style(&self, index: usize) -> Option<EntryStyle> {
        let item = self.items.get(index)?;
        Some(EntryStyle::measure(
            item,
            self.arn_key,
            self.dash,
            self.lines,
        ))
    }

    /// Returns the lines from the dash of an entry to the dash of the next.
    fn range(&self, index: usize) -> std::ops::Range<usize> {
        let at = |index: usize| self.starts.get(index).copied();
        let end = at(index + 1).unwrap_or(self.lines.count());
        at(index).unwrap_or(end)..end
    }

    /// Returns the line after the last line of an entry. Comments that are indented more than its dash belong to it.
    fn end(&self, index: usize) -> usize {
        let range = self.range(index);
        let is_own = |line: &usize| match self.lines.kind(*line) {
            LineKind::Blank => false,
            LineKind::Comment => self.lines.indent(*line) > self.dash,
            LineKind::Content => true,
        };
        range.clone().rev().find(is_own).unwrap_or(range.start) + 1
    }

    /// Returns the first line of the comment directly above an entry, or of the entry if there is no comment.
    fn comments(&self, index: usize) -> usize {
        let start = self.range(index).start;
        let is_about_it = |line: &usize| {
            self.lines.kind(*line) == LineKind::Comment && self.lines.indent(*line) <= self.dash
        };
        (0..start)
            .rev()
            .take_while(is_about_it)
            .last()
            .unwrap_or(start)
    }
}

fn has_dash(line: &str) -> bool {
    match line.trim_start_matches(' ').strip_prefix('-') {
        Some(rest) => rest.is_empty() || rest.starts_with([' ', '\t']),
        None => false,
    }
}
