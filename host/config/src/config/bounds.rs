//! Numbers and durations of the file, within their bounds.

use std::fmt;
use std::time::Duration;

use crate::config::error::Problem;
use crate::config::file::Table;
use crate::config::given::Given;

/// How short and how long a duration may be, and why no longer.
#[derive(Clone, Copy)]
pub(super) struct DurationLimit {
    shortest: Option<Duration>,
    longest: Duration,
    why: &'static str,
}

impl DurationLimit {
    pub(super) const fn new(longest: Duration, why: &'static str) -> Self {
        Self {
            shortest: None,
            longest,
            why,
        }
    }

    pub(super) const fn no_shorter_than(self, shortest: Duration) -> Self {
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

/// The allowed range.
impl fmt::Display for DurationLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shortest {
            Some(shortest) => {
                let shortest = humantime::format_duration(shortest);
                write!(f, "no shorter than {shortest}")?;
            }
            None => f.write_str("longer than 0s")?,
        }
        let longest = humantime::format_duration(self.longest);
        write!(f, " and no longer than {longest}, {}", self.why)
    }
}

/// The duration at `key`, with its unit.
pub(super) fn duration(
    table: &mut Table,
    key: &'static str,
    limit: DurationLimit,
) -> Result<Option<Duration>, Problem> {
    let what = format_args!("a duration with its unit, such as `5s` or `1500ms`, {limit}");
    let given = table.take(key).map(|given| given.into_number_text(what));
    given
        .transpose()?
        .map(|given| parse_duration(&given, limit))
        .transpose()
}

/// The duration that `given` is, with its unit.
fn parse_duration(given: &Given<String>, limit: DurationLimit) -> Result<Duration, Problem> {
    match humantime::parse_duration(&given.value) {
        Ok(duration) if limit.allows(duration) => Ok(duration),
        Ok(_) => Err(given.problem(format_args!("must be {limit}"))),
        Err(_) => Err(given.problem(format_args!(
            "must be a duration with its unit, such as `5s` or `1500ms`, {limit}"
        ))),
    }
}

/// The duration at `key`, with its unit, which may be 0.
pub(super) fn duration_or_none(
    table: &mut Table,
    key: &'static str,
    DurationLimit { longest, why, .. }: DurationLimit,
) -> Result<Option<Duration>, Problem> {
    let Some(given) = table.take(key) else {
        return Ok(None);
    };
    let shown = humantime::format_duration(longest);
    let given = given.into_number_text(format_args!(
        "a duration with its unit, such as `24h`, no longer than {shown}, {why}; `0` is none"
    ))?;
    match humantime::parse_duration(&given.value) {
        Ok(duration) if duration <= longest => Ok(Some(duration)),
        Ok(_) => Err(given.problem(format_args!(
            "must be no longer than {shown}, {why}; 0 is none"
        ))),
        Err(_) => Err(given.problem(format_args!(
            "must be a duration with its unit, such as `24h`, no longer than {shown}, {why}; `0` is none"
        ))),
    }
}

/// The number at `key`, `least` to `most`.
pub(super) fn number(
    table: &mut Table,
    key: &'static str,
    least: usize,
    most: usize,
) -> Result<Option<usize>, Problem> {
    let Some(given) = table.take(key) else {
        return Ok(None);
    };
    let given = given.into_number_text(format_args!("a number, {least} to {most}"))?;
    match given.value.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
        _ => Err(given.problem(format_args!(
            "is `{}`; write a number, {least} to {most}",
            given.value
        ))),
    }
}
