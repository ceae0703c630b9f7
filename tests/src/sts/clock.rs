//! The clock of the emulator.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ack_ram_core::time::UnixTime;

use super::server::Shared;
use crate::dates;

/// The system clock plus an offset, with which a test can make dates expire.
#[derive(Debug, Default)]
pub(super) struct Clock {
    offset_seconds: AtomicI64,
}

impl Clock {
    pub(super) fn now(&self) -> UnixTime {
        dates::now().plus_seconds(self.offset_seconds.load(Ordering::Relaxed))
    }

    pub(super) fn set(&self, now: UnixTime) {
        let offset = now.seconds_since(dates::now());
        self.offset_seconds.store(offset, Ordering::Relaxed);
    }

    pub(super) fn advance(&self, seconds: i64) {
        self.offset_seconds.fetch_add(seconds, Ordering::Relaxed);
    }
}

/// The clock of an [`super::Emulator`], which other emulators share.
#[derive(Clone, Debug)]
pub struct StsClock(pub(super) Arc<Shared>);

impl StsClock {
    /// Returns the time.
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.0.clock.now()
    }
}
