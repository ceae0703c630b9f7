//! Dates that make tokens differ.

use std::sync::atomic::{AtomicI64, Ordering};

use ack_ram_core::time::UnixTime;

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
