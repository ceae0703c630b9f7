//! The clocks of the system. All other code receives a clock or a time as an argument.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ack_ram_core::time::UnixTime;
use nix::time::{ClockId, clock_gettime};

/// A source of the current time. Tests use a clock that they control.
pub type Clock = fn() -> UnixTime;

/// Returns the time of the system's clock.
#[must_use]
pub fn now() -> UnixTime {
    // A clock before 1970 is wrong, and certificates and tokens with that time are refused everywhere.
    let seconds = wall_clock()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs());
    UnixTime::from_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// Returns the time of the system's clock with fractions of a second, for log lines and audit records.
pub(crate) fn wall_clock() -> SystemTime {
    #[allow(
        clippy::disallowed_methods,
        reason = "only this module reads the clock"
    )]
    SystemTime::now()
}

/// A source of durations that is independent of changes to the clock. Tests use one that they control.
pub type Uptime = fn() -> Duration;

/// Returns the time since the machine started.
///
/// This time never goes back. It includes the time during which the machine was suspended, but not the time during
/// which a hypervisor stopped a virtual machine.
#[must_use]
pub fn uptime() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: ClockId = ClockId::CLOCK_BOOTTIME;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: ClockId = ClockId::CLOCK_MONOTONIC;
    // Every kernel has this clock. If the call fails nevertheless, every time limit counts as exceeded.
    clock_gettime(CLOCK).map_or(Duration::MAX, Duration::from)
}
