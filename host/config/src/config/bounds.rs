//! Numbers and durations of the file, within their bounds.

use std::time::Duration;

use crate::config::error::Problem;
use crate::config::file::Table;
use crate::config::given::Given;

/// The longest that a duration may be, and why.
#[derive(Clone, Copy)]
pub(super) struct Longest {
    longest: Duration,
    why: &'static str,
}

impl Longest {
    pub(super) const fn new(longest: Duration, why: &'static str) -> Self {
        Self { longest, why }
    }
}

/// The duration at `key`, with its unit.
pub(super) fn duration(
    table: &mut Table,
    key: &'static str,
    longest: Longest,
) -> Result<Option<Duration>, Problem> {
    let given = table.text(key)?;
    given
        .map(|given| parse_duration(&given, longest))
        .transpose()
}

/// The duration that `given` is, with its unit.
pub(super) fn parse_duration(
    given: &Given<String>,
    Longest { longest, why }: Longest,
) -> Result<Duration, Problem> {
    let duration = humantime::parse_duration(&given.value)
        .map_err(|_| given.problem("must be a duration with its unit, such as `5s` or `1500ms`"))?;
    if duration.is_zero() || duration > longest {
        let longest = humantime::format_duration(longest);
        return Err(given.problem(format_args!(
            "must be longer than 0s and no longer than {longest}, {why}"
        )));
    }
    Ok(duration)
}

/// The duration at `key`, with its unit, which may be 0.
pub(super) fn duration_or_none(
    table: &mut Table,
    key: &'static str,
    Longest { longest, why }: Longest,
) -> Result<Option<Duration>, Problem> {
    let Some(given) = table.text(key)? else {
        return Ok(None);
    };
    match humantime::parse_duration(&given.value) {
        Ok(duration) if duration <= longest => Ok(Some(duration)),
        Ok(_) => {
            let longest = humantime::format_duration(longest);
            Err(given.problem(format_args!(
                "must be no longer than {longest}, {why}; 0 is none"
            )))
        }
        Err(_) => Err(given.problem("must be a duration with its unit, such as `24h`, or `0`")),
    }
}

/// The number at `key`, `least` to `most`.
pub(super) fn number(
    table: &mut Table,
    key: &'static str,
    least: usize,
    most: usize,
) -> Result<Option<usize>, Problem> {
    let Some(given) = table.text(key)? else {
        return Ok(None);
    };
    match given.value.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
        _ => Err(given.problem(format_args!(
            "is `{}`; write a number, {least} to {most}",
            given.value
        ))),
    }
}
