//! The time, and dates that make tokens differ.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use ack_ram_core::time::UnixTime;

/// The time by the clock of this machine, which other processes read, too.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "what the tests start is other processes with a clock of their own, and this is the one reading of it"
)]
pub fn now() -> UnixTime {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since_epoch.map_or(0, |since| since.as_secs());
    UnixTime::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// Dates of which no two are equal, so that no two tokens of one key are: each is a second before the last, whatever
/// time passes meanwhile. STS takes the first 900 of them.
pub struct DistinctDates(AtomicI64);

impl DistinctDates {
    /// The first date is `now`.
    #[must_use]
    pub fn back_from(now: UnixTime) -> Self {
        Self(AtomicI64::new(now.seconds()))
    }

    /// The next date.
    pub fn next(&self) -> UnixTime {
        UnixTime::from_seconds(self.0.fetch_sub(1, Ordering::Relaxed))
    }
}
