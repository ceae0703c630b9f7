//! Lines and columns of a text.

use std::ops::Range;

/// Returns the offset of the first byte of the line at `offset`.
pub(super) fn line_start(text: &str, offset: usize) -> usize {
    let before = text.get(..offset).unwrap_or_default();
    before.rfind('\n').map_or(0, |newline| newline + 1)
}

/// Returns the offset after the line break of the line at `offset`, or the end of the text.
pub(super) fn line_end(text: &str, offset: usize) -> usize {
    let after = text.get(offset..).unwrap_or_default();
    after
        .find('\n')
        .map_or(text.len(), |newline| offset + newline + 1)
}

/// Returns the offset after the line in which a value ends at `end`. A value may end with its line break.
pub(super) fn line_after(text: &str, end: usize) -> usize {
    if text.get(..end).is_some_and(|before| before.ends_with('\n')) {
        end
    } else {
        line_end(text, end)
    }
}

/// Returns the white space at the start of the line at `offset`.
pub(super) fn lead(text: &str, offset: usize) -> &str {
    let line = text.get(line_start(text, offset)..).unwrap_or_default();
    let end = line.len() - line.trim_start_matches([' ', '\t']).len();
    line.get(..end).unwrap_or_default()
}

/// Returns whether only white space is before `offset` in its line.
pub(super) fn starts_line(text: &str, offset: usize) -> bool {
    let before = text.get(line_start(text, offset)..offset);
    before.is_some_and(|before| before.trim_matches([' ', '\t']).is_empty())
}

/// Returns the column at `offset` in characters, counted from 0.
pub(super) fn column(text: &str, offset: usize) -> usize {
    let before = text.get(line_start(text, offset)..offset);
    before.unwrap_or_default().chars().count()
}

/// Returns the line break of the text.
pub(super) fn line_ending(text: &str) -> &'static str {
    match text.split_once('\n') {
        Some((first, _)) if first.ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// Returns the text with `new` instead of each range. The ranges are in order, and do not overlap.
pub(super) fn splice(text: &str, changes: &[(Range<usize>, &str)]) -> Option<String> {
    let mut out = String::with_capacity(text.len() + 1024);
    let mut at = 0;
    for (range, new) in changes {
        out.push_str(text.get(at..range.start)?);
        out.push_str(new);
        at = range.end;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

/// Returns the text with `lines` at `offset`, which is the start of a line or the end of the text. Keeps the absence of
/// a line break at the end.
pub(super) fn insert_lines(text: &str, offset: usize, lines: &[String]) -> Option<String> {
    let ending = line_ending(text);
    let before = text.get(..offset)?;
    let mut new = String::new();
    let is_open = !before.is_empty() && !before.ends_with('\n');
    for line in lines {
        if is_open {
            new.push_str(ending);
            new.push_str(line);
        } else {
            new.push_str(line);
            new.push_str(ending);
        }
    }
    splice(text, &[(offset..offset, &new)])
}
