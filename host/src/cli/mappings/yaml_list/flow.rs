//! Flow lists, which are in brackets.

use std::ops::Range;

use super::MappingEntry;
use super::lines::{TextLines, indent};
use super::style::EntryStyle;
use crate::config::Position;
use crate::config::yaml::Node;

/// The positions of the entries of a flow list.
pub(super) struct FlowList<'a> {
    lines: &'a TextLines<'a>,
    items: &'a [Node],
    arn_key: &'static str,
    /// The range of each entry in bytes, with its braces.
    ranges: Vec<Range<usize>>,
}

impl<'a> FlowList<'a> {
    /// Finds the entries; `None` if this is not a flow list whose entries are in braces.
    pub(super) fn find(
        lines: &'a TextLines<'a>,
        list: Position,
        items: &'a [Node],
        arn_key: &'static str,
    ) -> Option<Self> {
        if lines.char_at(list) != Some('[') {
            return None;
        }
        let range = |item: &Node| {
            let start = lines.offset(item.position)?;
            Some(start..find_closing_brace(lines.text, start)?)
        };
        let ranges = items.iter().map(range).collect::<Option<_>>()?;
        Some(Self {
            lines,
            items,
            arn_key,
            ranges,
        })
    }

    /// Returns the text with `entry` in the empty brackets at `list`.
    pub(super) fn fill(
        lines: &TextLines<'_>,
        list: Position,
        entry: &MappingEntry,
        arn_key: &'static str,
    ) -> Option<String> {
        let at = lines.offset(list)? + 1;
        let new = EntryStyle::default_for(arn_key, 0).flow(entry);
        replace_range(lines.text, at..at, &new)
    }

    /// Returns the text with `entry` at the end of the list.
    pub(super) fn append(&self, entry: &MappingEntry) -> Option<String> {
        let last = self.ranges.len().checked_sub(1)?;
        let new = self.style(last)?.flow(entry);
        let range = self.ranges.get(last)?;
        let Some(own) = self.own_lines(last) else {
            return replace_range(self.lines.text, range.end..range.end, &format!(", {new}"));
        };
        let start = self.lines.text.get(own.start..range.start)?;
        let ending = self.lines.ending();
        let (comma, after) = match own.comma {
            Some(_) => ("", ","),
            None => (",", ""),
        };
        let text = replace_range(
            self.lines.text,
            own.end..own.end,
            &format!("{start}{new}{after}{ending}"),
        )?;
        replace_range(&text, range.end..range.end, comma)
    }

    /// Returns the text with `entry` instead of the entry at `index`.
    pub(super) fn replace(&self, index: usize, entry: &MappingEntry) -> Option<String> {
        let new = self.style(index)?.flow(entry);
        replace_range(self.lines.text, self.ranges.get(index)?.clone(), &new)
    }

    /// Returns the text without the entry at `index` and the comments on its lines.
    pub(super) fn remove(&self, index: usize) -> Option<String> {
        let text = self.lines.text;
        let range = self.ranges.get(index)?;
        let next = self.ranges.get(index + 1);
        let previous = index
            .checked_sub(1)
            .and_then(|index| self.ranges.get(index));
        if let Some(own) = self.own_lines(index) {
            let rest = replace_range(text, own.start..own.end, "")?;
            // JSON allows no comma after the last entry.
            return match (next, previous, own.comma) {
                (None, Some(previous), None) => {
                    let comma = find_comma_after(&rest, previous.end).unwrap_or(previous.end);
                    replace_range(&rest, previous.end..comma, "")
                }
                _ => Some(rest),
            };
        }
        let removed = match (next, previous) {
            (Some(next), _) => range.start..next.start,
            (None, Some(previous)) => previous.end..range.end,
            (None, None) => range.start..find_comma_after(text, range.end).unwrap_or(range.end),
        };
        replace_range(text, removed, "")
    }

    fn style(&self, index: usize) -> Option<EntryStyle> {
        Some(EntryStyle::measure(
            self.items.get(index)?,
            self.arn_key,
            0,
            self.lines,
        ))
    }

    /// Returns the lines of the entry at `index` if they contain only the entry, its comma and comments.
    fn own_lines(&self, index: usize) -> Option<ItemLines> {
        let text = self.lines.text;
        let range = self.ranges.get(index)?;
        let start = text.get(..range.start)?.rfind('\n')? + 1;
        let end = range.end + text.get(range.end..)?.find('\n')? + 1;
        let before = text.get(start..range.start)?;
        let comma = find_comma_after(text, range.end);
        let after = text.get(comma.unwrap_or(range.end)..end)?.trim();
        let is_own = indent(before) == before.len() && (after.is_empty() || after.starts_with('#'));
        is_own.then_some(ItemLines { start, end, comma })
    }
}

struct ItemLines {
    start: usize,
    end: usize,
    /// The end of the comma after the entry.
    comma: Option<usize>,
}

/// Returns the end of the comma that follows on the same line.
fn find_comma_after(text: &str, end: usize) -> Option<usize> {
    let rest = text.get(end..)?;
    let comma = rest.trim_start_matches(' ').strip_prefix(',')?;
    Some(text.len() - comma.len())
}

fn replace_range(text: &str, range: Range<usize>, new: &str) -> Option<String> {
    Some(format!(
        "{}{new}{}",
        text.get(..range.start)?,
        text.get(range.end..)?
    ))
}

/// Returns the end of the braces that start at `start`.
fn find_closing_brace(text: &str, start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    let (mut is_escaped, mut is_comment) = (false, false);
    // The character before a quote decides whether the quote starts a quoted scalar.
    let mut before = ',';
    for (at, char) in text.get(start..)?.char_indices() {
        match (quote, char) {
            _ if is_escaped => is_escaped = false,
            _ if is_comment => is_comment = char != '\n',
            (Some('"'), '\\') => is_escaped = true,
            (Some(open), _) => {
                if char == open {
                    quote = None;
                }
            }
            (None, '"' | '\'') if "{[,: \n".contains(before) => quote = Some(char),
            (None, '#') if before.is_whitespace() => is_comment = true,
            (None, '{' | '[') => depth += 1,
            (None, '}' | ']') => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(start + at + 1);
                }
            }
            (None, _) if depth == 0 => return None,
            (None, _) => {}
        }
        before = char;
    }
    None
}
