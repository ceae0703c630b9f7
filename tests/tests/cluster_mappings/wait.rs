//! Waiting for what must come.

use std::thread;
use std::time::{Duration, Instant};

/// Nothing here takes nearly as long on an idle machine.
pub const LONG: Duration = Duration::from_secs(90);

/// Waits until `look` finds nothing to complain of.
#[track_caller]
pub fn eventually(what: &str, mut look: impl FnMut() -> Result<(), String>) {
    let deadline = Instant::now() + LONG;
    loop {
        match look() {
            Ok(()) => return,
            Err(why) => assert!(Instant::now() < deadline, "{what}: {why}"),
        }
        thread::sleep(Duration::from_millis(20));
    }
}
