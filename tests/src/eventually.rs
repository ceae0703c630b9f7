//! Functions that wait for an event.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// How long an event may take. On an idle machine, each event takes a small part of it.
pub const LIMIT: Duration = Duration::from_secs(120);
/// The pause between two probes.
const PAUSE: Duration = Duration::from_millis(10);

/// The result of a probe: the value of the event, or the reason why it has not happened yet.
pub trait Observation {
    /// The value of the event.
    type Value;

    /// Returns the value, or the reason to probe again.
    ///
    /// # Errors
    /// If the event has not happened yet.
    fn observed(self) -> Result<Self::Value, String>;
}

impl Observation for bool {
    type Value = ();

    fn observed(self) -> Result<(), String> {
        self.then_some(()).ok_or_else(|| "not yet".to_owned())
    }
}

impl<T> Observation for Option<T> {
    type Value = T;

    fn observed(self) -> Result<T, String> {
        self.ok_or_else(|| "not yet".to_owned())
    }
}

impl<T, E: Display> Observation for Result<T, E> {
    type Value = T;

    fn observed(self) -> Result<T, String> {
        self.map_err(|reason| reason.to_string())
    }
}

/// Returns the value of the event `what`, as soon as `probe` observes the event.
///
/// # Panics
/// If the event does not happen within [`LIMIT`].
pub async fn eventually<O: Observation>(what: &str, mut probe: impl AsyncFnMut() -> O) -> O::Value {
    let deadline = Instant::now() + LIMIT;
    loop {
        match probe().await.observed() {
            Ok(value) => return value,
            Err(reason) => assert!(Instant::now() < deadline, "{what}: {reason}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Returns the value of the event `what` as [`eventually`] does, but blocks the thread.
///
/// # Panics
/// If the event does not happen within [`LIMIT`].
#[track_caller]
pub fn block_until<O: Observation>(what: &str, mut probe: impl FnMut() -> O) -> O::Value {
    let deadline = Instant::now() + LIMIT;
    loop {
        match probe().observed() {
            Ok(value) => return value,
            Err(reason) => assert!(Instant::now() < deadline, "{what}: {reason}"),
        }
        std::thread::sleep(PAUSE);
    }
}
