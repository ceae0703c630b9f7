//! The emulator's own time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use ack_ram_core::time::UnixTime;

/// The system clock moved by an offset, so that a test can make dates expire.
#[derive(Debug, Default)]
pub(super) struct Clock {
    offset_seconds: AtomicI64,
}

impl Clock {
    pub(super) fn now(&self) -> UnixTime {
        system_time().plus_seconds(self.offset_seconds.load(Ordering::Relaxed))
    }

    pub(super) fn set(&self, now: UnixTime) {
        let offset = now.seconds_since(system_time());
        self.offset_seconds.store(offset, Ordering::Relaxed);
    }

    pub(super) fn advance(&self, seconds: i64) {
        self.offset_seconds.fetch_add(seconds, Ordering::Relaxed);
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "a server of its own with a clock of its own, and this is its one reading"
)]
fn system_time() -> UnixTime {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since_epoch.map_or(0, |since| since.as_secs());
    UnixTime::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}
