//! The current time, and distinct dates for distinct tokens.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use ack_ram_core::time::UnixTime;

/// Returns the time of the system clock, which other processes also read.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the tests start other processes, which read the system clock; this is the only place that reads it here"
)]
pub fn now() -> UnixTime {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since_epoch.map_or(0, |since| since.as_secs());
    UnixTime::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// A source of distinct dates, which make tokens of the same key distinct. Each date is a second before the previous
/// one, regardless of the time that passes. STS accepts the first 900 dates.
pub struct DistinctDates(AtomicI64);

impl DistinctDates {
    /// Builds a source whose first date is `now`.
    #[must_use]
    pub fn back_from(now: UnixTime) -> Self {
        Self(AtomicI64::new(now.seconds()))
    }

    /// Returns the next date.
    pub fn next(&self) -> UnixTime {
        UnixTime::from_seconds(self.0.fetch_sub(1, Ordering::Relaxed))
    }
}
