//! Advice about syntax errors: the likely cause in the author's terms, and the fix.

use crate::invisible;

use super::SyntaxError;
use super::unquoted::{QuoteTrigger, UnquotedValue};
use crate::diagnostic::Position;
use crate::keys;

/// Returns `error` with the fix, at the position of the likely cause if the cause can be found.
pub(super) fn add_advice(source: &str, error: SyntaxError) -> SyntaxError {
    let SyntaxError { position, message } = error;
    let found = position.and_then(|position| {
        let lines = ErrorContext::new(source, position);
        // The parser reports a multi-line text at its start, which can be far from the tab.
        let is_about_tabs = message.contains("a tab") || message.starts_with("tabs ");
        let tab = is_about_tabs.then(|| lines.find_tab_below(source));
        tab.flatten().or_else(|| lines.find_cause())
    });
    match found {
        Some((position, message)) => SyntaxError {
            position: Some(position),
            message,
        },
        None => SyntaxError {
            position,
            message: format!("{message}; correct the YAML there"),
        },
    }
}

/// The line of an error and the previous line.
struct ErrorContext<'a> {
    error: Position,
    before: Option<&'a str>,
    here: &'a str,
}

/// Position and description of a problem.
type Cause = (Position, String);

impl<'a> ErrorContext<'a> {
    fn new(source: &'a str, error: Position) -> Self {
        let index = usize::try_from(error.line).unwrap_or(usize::MAX);
        let line = |index: Option<usize>| source.lines().nth(index?);
        Self {
            error,
            before: line(index.checked_sub(2)),
            here: line(index.checked_sub(1)).unwrap_or_default(),
        }
    }

    fn find_cause(&self) -> Option<Cause> {
        self.find_tab()
            .or_else(|| self.find_invisible())
            .or_else(|| self.find_braces())
            .or_else(|| self.find_quote_trigger())
            .or_else(|| self.find_missing_space())
            .or_else(|| self.find_second_colon())
    }

    /// Finds a tab immediately before the error. A tab elsewhere may be valid, as in JSON.
    fn find_tab(&self) -> Option<Cause> {
        let end = usize::try_from(self.error.column).ok()?.checked_sub(1)?;
        let before: Vec<char> = self.here.chars().take(end).collect();
        let blank = before.iter().rev().take_while(|c| matches!(c, ' ' | '\t'));
        let start = before.len() - blank.count();
        let index = before.iter().skip(start).position(|c| *c == '\t')? + start;
        Some(tab_cause(self.error.line, index as u64 + 1))
    }

    /// Finds the first tab in or below the line of the error.
    fn find_tab_below(&self, source: &str) -> Option<Cause> {
        let first = usize::try_from(self.error.line).ok()?.checked_sub(1)?;
        let lines = (self.error.line..).zip(source.lines().skip(first));
        lines
            .into_iter()
            .find_map(|(line, text)| find_tab_in_line(line, text))
    }

    fn find_invisible(&self) -> Option<Cause> {
        let mut characters = self.here.chars().enumerate();
        let (index, character) = characters.find(|(index, character)| {
            // A document may start with a byte order mark.
            let is_allowed = *character == '\u{feff}' && self.error.line == 1 && *index == 0;
            !is_allowed && invisible::character_name(*character).is_some()
        })?;
        let position = Position {
            line: self.error.line,
            column: index as u64 + 1,
        };
        let problem = invisible::describe_problem(character)?;
        Some((position, format!("the line contains {problem}")))
    }

    /// Finds `{{` outside quotes. Only templates have two adjacent braces.
    fn find_braces(&self) -> Option<Cause> {
        let mut quote = None;
        let mut before = ' ';
        let text = self.here.split(" #").next().unwrap_or_default();
        let mut characters = text.char_indices().enumerate();
        let (index, _) = characters.find(|(_, (offset, character))| {
            let starts = matches!(before, ' ' | '[' | '{' | ',' | ':');
            match (quote, *character) {
                (None, '"' | '\'') if starts => quote = Some(*character),
                (Some(open), close) if open == close => quote = None,
                _ => {}
            }
            before = *character;
            let rest = text.get(*offset..).unwrap_or_default();
            quote.is_none() && rest.starts_with("{{")
        })?;
        let position = Position {
            line: self.error.line,
            column: index as u64 + 1,
        };
        Some((
            position,
            format!("a value {}", UnquotedValue::new(QuoteTrigger::Braces)),
        ))
    }

    fn find_quote_trigger(&self) -> Option<Cause> {
        let start = usize::try_from(self.error.column).ok()?.checked_sub(1)?;
        let (offset, _) = self.here.char_indices().nth(start)?;
        let trigger = QuoteTrigger::detect(self.here.get(offset..)?)?;
        let message = format!("a value {}", UnquotedValue::new(trigger));
        Some((self.error, message))
    }

    /// Finds a known key without a space after its colon.
    fn find_missing_space(&self) -> Option<Cause> {
        let here = (self.error.line, self.here);
        let before = (self.error.line.saturating_sub(1), self.before?);
        [here, before].into_iter().find_map(|(line, text)| {
            let rest = text.trim_start_matches([' ', '-']);
            let (key, value) = rest.split_once(':')?;
            if value.trim().is_empty() || value.starts_with(' ') || !keys::is_known_key(key) {
                return None;
            }
            let start = text.len() - rest.len() + key.len();
            let column = text.get(..start)?.chars().count() as u64 + 1;
            let message = format!("no space after the colon of `{key}`; add a space there");
            Some((Position { line, column }, message))
        })
    }

    /// Finds a second colon, as in `key: value: more`.
    fn find_second_colon(&self) -> Option<Cause> {
        let end = usize::try_from(self.error.column).ok()?.checked_sub(1)?;
        let (offset, _) = self.here.char_indices().nth(end)?;
        let (before, after) = self.here.split_at_checked(offset)?;
        let entry = before.rsplit(['{', ',', '[']).next()?;
        let has_key = entry
            .trim_start_matches([' ', '-'])
            .split_once(": ")
            .is_some_and(|(key, value)| keys::is_known_key(key) && !value.starts_with(['"', '\'']));
        (has_key && after.starts_with(':')).then(|| {
            let message =
                "a second colon with a space after it in one line; put quotes around the value";
            (self.error, message.to_owned())
        })
    }
}

fn find_tab_in_line(line: u64, text: &str) -> Option<Cause> {
    Some(tab_cause(line, find_tab_before_value(text)?))
}

fn tab_cause(line: u64, column: u64) -> Cause {
    let message = "tab in indentation; use spaces";
    (Position { line, column }, message.to_owned())
}

/// Returns the column of a tab in the indentation of `line`, or after a dash or colon.
fn find_tab_before_value(line: &str) -> Option<u64> {
    let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
    let is_blank = indentation == line.trim_end().len();
    let in_indentation = line.get(..indentation)?.find('\t').filter(|_| !is_blank);
    let after_sign = || {
        let signs = ["-\t", ":\t", "- \t", ": \t"];
        signs.iter().find_map(|sign| {
            let start = line.find(sign)? + sign.len() - 1;
            Some(start)
        })
    };
    let offset = in_indentation.or_else(after_sign)?;
    Some(line.get(..offset)?.chars().count() as u64 + 1)
}
