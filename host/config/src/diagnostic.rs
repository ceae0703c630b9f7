//! Diagnostics: problems and risks in a configuration, with their location and a fix.

mod code;
mod collector;
mod location;

use std::fmt;

use serde::Serialize;

pub use code::{DiagnosticCode, Severity};
pub use collector::{Diagnostics, Part};
pub use location::{Location, Origin, Position};

use crate::invisible;

/// A problem or risk at one location.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// Stable code of the kind of problem.
    pub code: DiagnosticCode,
    /// Severity of the problem.
    pub severity: Severity,
    /// Location of the problem. Unnamed if the message names the location.
    #[serde(rename = "position")]
    pub location: Location,
    /// Description of the problem.
    pub message: String,
    /// Advice on how to fix the problem; may be empty.
    #[serde(rename = "advice")]
    pub help: String,
}

impl Diagnostic {
    /// Creates a diagnostic from `text`: a description of the problem and, after `; `, the fix.
    ///
    /// The text may quote any characters from the configuration. Control characters are escaped, because logs and
    /// terminals interpret them.
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

    /// Creates a diagnostic from `message`, which describes the problem, and `help`, which describes the fix.
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

    /// Creates the diagnostic of a setting with an invalid value.
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

    /// Returns the diagnostic as a warning: the configuration can be used without the affected part. A warning with
    /// [`Severity::Error`] means that the affected part has no effect.
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

    /// Returns the log line of a warning. For an invalid entry, the line adds that the entry is left out.
    #[must_use]
    pub fn warning_text(&self) -> String {
        match self.code {
            DiagnosticCode::InvalidEntry => format!("{self}; until then the entry is left out"),
            _ => self.to_string(),
        }
    }

    /// Returns the message and the advice on one line, without the location.
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

/// Separator between the message and the advice.
const SEPARATOR: &str = "; ";

/// Formats the diagnostic as one line that starts with the location.
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

/// Returns `text` with its control and invisible characters escaped.
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
