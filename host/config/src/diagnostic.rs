//! What is wrong or risky, where, and what to do.

mod code;
mod collector;
mod location;

use std::fmt;

use serde::Serialize;

pub use code::{DiagnosticCode, Severity};
pub use collector::{Diagnostics, Part};
pub use location::{Location, Origin, Position};

use crate::invisible;

/// What is wrong or risky in one location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// The stable name of the kind.
    pub code: DiagnosticCode,
    /// How bad it is.
    pub severity: Severity,
    /// The location. Unnamed if the message names it.
    #[serde(rename = "position")]
    pub location: Location,
    /// What is wrong.
    pub message: String,
    /// What to do; may be empty.
    #[serde(rename = "advice")]
    pub help: String,
}

impl Diagnostic {
    /// Creates a diagnostic from `text`, which says what is wrong and, after a semicolon, what to do.
    ///
    /// The text may quote any characters. Logs and terminals obey control characters, so those are spelt out.
    #[must_use]
    pub fn new(
        code: DiagnosticCode,
        severity: Severity,
        location: Location,
        text: impl fmt::Display,
    ) -> Self {
        let text = escape_control(&text.to_string());
        let (message, help) = text.split_once(SEPARATOR).unwrap_or((&text, ""));
        Self {
            code,
            severity,
            location,
            message: message.to_owned(),
            help: help.to_owned(),
        }
    }

    /// Creates a diagnostic from `message`, which says what is wrong, and `help`, which says what to do.
    #[must_use]
    pub fn from_parts(
        code: DiagnosticCode,
        severity: Severity,
        location: &Location,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity,
            location: location.clone(),
            message: message.into(),
            help: help.into(),
        }
    }

    /// Creates the diagnostic of a setting with a value that it cannot have.
    #[must_use]
    pub fn invalid_setting(location: Location, text: impl fmt::Display) -> Self {
        Self::new(
            DiagnosticCode::InvalidSetting,
            Severity::Error,
            location,
            text,
        )
    }

    /// Creates the diagnostic of a file or document that cannot be read.
    #[must_use]
    pub fn unreadable(location: Location, text: impl fmt::Display) -> Self {
        Self::new(DiagnosticCode::Unreadable, Severity::Error, location, text)
    }

    /// Returns the diagnostic as a warning: the configuration can be used without what it is about. A warning whose
    /// severity is [`Severity::Error`] is about something that has no effect.
    #[must_use]
    pub(super) fn into_warning(self, code: DiagnosticCode) -> Self {
        let severity = match code {
            DiagnosticCode::ArnWithPath
            | DiagnosticCode::BindWins
            | DiagnosticCode::GroupsUnjoined => Severity::Warning,
            _ => Severity::Error,
        };
        Self {
            code,
            severity,
            ..self
        }
    }

    /// Returns the line of a log about a warning. Of an entry that is left out, it says so.
    #[must_use]
    pub fn warning_text(&self) -> String {
        match self.code {
            DiagnosticCode::InvalidEntry => format!("{self}; until then the entry is left out"),
            _ => self.to_string(),
        }
    }

    /// Returns what is wrong and what to do, in one line without the location.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { message, help, .. } = self;
        if help.is_empty() {
            message.clone()
        } else {
            format!("{message}{SEPARATOR}{help}")
        }
    }
}

/// Between what is wrong and what to do.
const SEPARATOR: &str = "; ";

/// One line with the location.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.location.place();
        if !place.is_empty() {
            write!(f, "{place}: ")?;
        }
        let entry = &self.location.entry;
        if !entry.is_empty() {
            write!(f, "in `{entry}`: ")?;
        }
        f.write_str(&self.text())
    }
}

impl std::error::Error for Diagnostic {}

/// Returns `text` with its control and invisible characters as escapes.
pub(super) fn escape_control(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || invisible::character_name(character).is_some() {
            line.extend(character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}
