//! The clocks of the system. Everything else is given a clock or a time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ack_ram_core::time::UnixTime;
use nix::time::{ClockId, clock_gettime};

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

/// Where durations come from that no change of the clock may touch; tests pass one that they move.
pub type Uptime = fn() -> Duration;

/// Returns the time since the machine started. It never goes back, and counts the time that the machine was suspended;
/// time for which a hypervisor stops a virtual machine, it does not count.
#[must_use]
pub fn uptime() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: ClockId = ClockId::CLOCK_BOOTTIME;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;
    // Every kernel has this clock. At the end of all time, what has a limit is past it.
    clock_gettime(CLOCK).map_or(Duration::MAX, Duration::from)
}
