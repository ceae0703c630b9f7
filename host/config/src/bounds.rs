//! Numbers and durations in the file, checked against their bounds.

use std::fmt;
use std::time::Duration;

use crate::diagnostic::{Diagnostic, Diagnostics, Part};
use crate::file::Table;
use crate::located::Located;

/// Reader of the settings of one table. It records each error and continues with the next setting.
pub(super) struct SectionReader<'a> {
    table: &'a mut Table,
    diagnostics: &'a mut Diagnostics,
    first_error: Option<Diagnostic>,
}

impl<'a> SectionReader<'a> {
    pub(super) fn new(table: &'a mut Table, diagnostics: &'a mut Diagnostics) -> Self {
        Self {
            table,
            diagnostics,
            first_error: None,
        }
    }

    /// Reads the duration at `key`, which must have a unit.
    pub(super) fn duration(&mut self, key: &'static str, limit: DurationLimit) -> Option<Duration> {
        let read = read_duration(self.table, key, limit);
        self.record(read)
    }

    /// Reads the number at `key`, which must be between `least` and `most`.
    pub(super) fn number(&mut self, key: &'static str, least: usize, most: usize) -> Option<usize> {
        let read = read_number(self.table, key, least, most);
        self.record(read)
    }

    fn record<T>(&mut self, read: Result<Option<T>, Diagnostic>) -> Option<T> {
        let error = match self.diagnostics.record(read) {
            Ok(value) => return value,
            Err(error) => error,
        };
        self.first_error.get_or_insert(error);
        None
    }

    /// Returns `value`, built from the settings of this table, or the first error of any of them.
    pub(super) fn finish<T>(self, value: T) -> Part<T> {
        self.first_error.map_or(Ok(value), Err)
    }
}

/// Allowed range of a duration.
#[derive(Clone, Copy)]
pub(super) struct DurationLimit {
    shortest: Option<Duration>,
    longest: Duration,
}

impl DurationLimit {
    pub(super) const fn new(longest: Duration) -> Self {
        Self {
            shortest: None,
            longest,
        }
    }

    pub(super) const fn at_least(self, shortest: Duration) -> Self {
        Self {
            shortest: Some(shortest),
            ..self
        }
    }

    fn allows(&self, duration: Duration) -> bool {
        let is_long_enough = match self.shortest {
            Some(shortest) => duration >= shortest,
            None => !duration.is_zero(),
        };
        is_long_enough && duration <= self.longest
    }
}

/// Formats the allowed range.
impl fmt::Display for DurationLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = format_duration(self.longest);
        match self.shortest {
            Some(shortest) => write!(f, "between {} and {longest}", format_duration(shortest)),
            None => write!(f, "longer than 0s, up to {longest}"),
        }
    }
}

/// Formats `duration` as the file writes it, such as `30d`.
fn format_duration(duration: Duration) -> String {
    humantime::format_duration(duration)
        .to_string()
        .replace("days", "d")
}

/// Reads the duration at `key`, which must have a unit.
pub(super) fn read_duration(
    table: &mut Table,
    key: &'static str,
    limit: DurationLimit,
) -> Result<Option<Duration>, Diagnostic> {
    let what = format_args!("a duration with a unit, {limit}");
    let given = table.take(key).map(|given| given.into_number_text(what));
    given
        .transpose()?
        .map(|given| parse_duration(&given, limit))
        .transpose()
}

/// Parses `given` as a duration with a unit.
fn parse_duration(given: &Located<String>, limit: DurationLimit) -> Result<Duration, Diagnostic> {
    match humantime::parse_duration(&given.value) {
        Ok(duration) if limit.allows(duration) => Ok(duration),
        Ok(_) | Err(_) => Err(given.diagnostic(format_args!(
            "is `{}`; must be a duration with a unit, {limit}",
            given.value
        ))),
    }
}

/// Reads the duration at `key`, which must have a unit unless it is 0.
pub(super) fn read_duration_or_zero(
    table: &mut Table,
    key: &'static str,
    DurationLimit { longest, .. }: DurationLimit,
) -> Result<Option<Duration>, Diagnostic> {
    let Some(given) = table.take(key) else {
        return Ok(None);
    };
    let what = format!(
        "`0`, or a duration with a unit, up to {}",
        format_duration(longest)
    );
    let given = given.into_number_text(format_args!("{what}"))?;
    match humantime::parse_duration(&given.value) {
        Ok(duration) if duration <= longest => Ok(Some(duration)),
        Ok(_) | Err(_) => {
            Err(given.diagnostic(format_args!("is `{}`; must be {what}", given.value)))
        }
    }
}

/// Reads the number at `key`, which must be between `least` and `most`.
pub(super) fn read_number(
    table: &mut Table,
    key: &'static str,
    least: usize,
    most: usize,
) -> Result<Option<usize>, Diagnostic> {
    let Some(given) = table.take(key) else {
        return Ok(None);
    };
    let given = given.into_number_text(format_args!("a number between {least} and {most}"))?;
    match given.value.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
        _ => Err(given.diagnostic(format_args!(
            "is `{}`; must be a number between {least} and {most}",
            given.value
        ))),
    }
}
