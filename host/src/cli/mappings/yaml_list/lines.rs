//! A text by its lines.

use crate::config::Position;

/// A text, and where its lines start.
pub(super) struct TextLines<'a> {
    pub(super) text: &'a str,
    /// In bytes.
    starts: Vec<usize>,
}

/// What stands on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineKind {
    Blank,
    Comment,
    Content,
}

impl<'a> TextLines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut starts = Vec::new();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            starts.push(start);
            start += line.len();
        }
        Self { text, starts }
    }

    pub(super) fn count(&self) -> usize {
        self.starts.len()
    }

    /// Where a line starts, in bytes; of one past the last, the end of the text.
    pub(super) fn start(&self, line: usize) -> usize {
        self.starts.get(line).copied().unwrap_or(self.text.len())
    }

    /// A line without its end.
    pub(super) fn line(&self, line: usize) -> &'a str {
        let range = self.start(line)..self.start(line + 1);
        let line = self.text.get(range).unwrap_or_default();
        let line = line.strip_suffix('\n').unwrap_or(line);
        line.strip_suffix('\r').unwrap_or(line)
    }

    pub(super) fn kind(&self, line: usize) -> LineKind {
        match self.line(line).trim_start().chars().next() {
            None => LineKind::Blank,
            Some('#') => LineKind::Comment,
            Some(_) => LineKind::Content,
        }
    }

    /// How many spaces a line starts with.
    pub(super) fn indent(&self, line: usize) -> usize {
        indent(self.line(line))
    }

    /// Which line, counted from 0.
    pub(super) fn line_of(&self, position: Position) -> Option<usize> {
        usize::try_from(position.line).ok()?.checked_sub(1)
    }

    /// Where a position is, in bytes.
    pub(super) fn offset(&self, position: Position) -> Option<usize> {
        let line = self.line_of(position)?;
        let column = usize::try_from(position.column).ok()?.checked_sub(1)?;
        let before: usize = self
            .line(line)
            .chars()
            .take(column)
            .map(char::len_utf8)
            .sum();
        Some(self.start(line) + before)
    }

    /// The character at a position.
    pub(super) fn char_at(&self, position: Position) -> Option<char> {
        self.text.get(self.offset(position)?..)?.chars().next()
    }

    /// How its lines end.
    pub(super) fn ending(&self) -> &'static str {
        match self.text.split_once('\n') {
            Some((first, _)) if first.ends_with('\r') => "\r\n",
            _ => "\n",
        }
    }

    /// The text with `new` in place of the lines `from..to`. The last line ends as it did.
    pub(super) fn with_lines(&self, from: usize, to: usize, new: &[String]) -> String {
        let ending = self.ending();
        let before = self.text.get(..self.start(from)).unwrap_or_default();
        let after = self.text.get(self.start(to)..).unwrap_or_default();
        let mut text = before.to_owned();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push_str(ending);
        }
        for line in new {
            text.push_str(line);
            text.push_str(ending);
        }
        text.push_str(after);
        let ended = self.text.is_empty() || self.text.ends_with('\n');
        if !ended && let Some(stripped) = text.strip_suffix(ending) {
            text.truncate(stripped.len());
        }
        text
    }
}

pub(super) fn indent(line: &str) -> usize {
    line.bytes().take_while(|byte| *byte == b' ').count()
}
