//! A text as a list of lines.

use crate::config::Position;

/// A text and its lines.
pub(super) struct TextLines<'a> {
    pub(super) text: &'a str,
    /// The offset of each line in bytes.
    starts: Vec<usize>,
}

/// The content of a line.
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

    /// Returns the offset of a line in bytes; past the last line, the end of the text.
    pub(super) fn start(&self, line: usize) -> usize {
        self.starts.get(line).copied().unwrap_or(self.text.len())
    }

    /// Returns a line without its line break.
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

    /// Returns the number of spaces at the start of a line.
    pub(super) fn indent(&self, line: usize) -> usize {
        indent(self.line(line))
    }

    /// Returns the line of a position, counted from 0.
    pub(super) fn line_of(&self, position: Position) -> Option<usize> {
        usize::try_from(position.line).ok()?.checked_sub(1)
    }

    /// Returns the offset of a position in bytes.
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

    /// Returns the character at a position.
    pub(super) fn char_at(&self, position: Position) -> Option<char> {
        self.text.get(self.offset(position)?..)?.chars().next()
    }

    /// Returns the line break of the text.
    pub(super) fn ending(&self) -> &'static str {
        match self.text.split_once('\n') {
            Some((first, _)) if first.ends_with('\r') => "\r\n",
            _ => "\n",
        }
    }

    /// Returns the text with `new` instead of the lines `from..to`. Keeps the line break, or its absence, at the end.
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
