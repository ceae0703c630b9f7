//! The clock and the environment: the two things of the process that the rest is given.

use std::time::{SystemTime, UNIX_EPOCH};

pub use ack_ram_config::config::Variables;
use ack_ram_core::time::UnixTime;

/// Where the time comes from; tests pass one that they move.
pub type Clock = fn() -> UnixTime;

/// The system's clock.
#[must_use]
pub fn now() -> UnixTime {
    // A clock before 1970 is broken; certificates and tokens made with it are refused everywhere, as they should be.
    let seconds = wall_clock()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs());
    UnixTime::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// The system's clock, for what people and machines read that order lines by it.
pub(crate) fn wall_clock() -> SystemTime {
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    SystemTime::now()
}

/// A variable of the process's environment. One that is empty or not Unicode counts as not set.
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
