//! Polls files for changes. The reasons for polling are in [`crate::manual::file_polling`].
//!
//! [`poll_until_stopped`] and [`poll_forever`] run a poll at each interval. [`LastObserved`] detects when a state has
//! settled, [`BadSpell`] measures how long a bad state has lasted, and [`WatchedFile`] returns the events of one file.

mod digest;
mod settling;
mod watched_file;

use std::future::{self, Future};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinError;

pub(crate) use digest::Digest;
pub(crate) use settling::{BadSpell, LastObserved};
pub(crate) use watched_file::{FileEvent, MAY_BE_MISSING, POLL_INTERVAL, WatchedFile};

/// The log target for polls of files, by which administrators filter the log.
const FILES_TARGET: &str = "ack_ram_authenticator::backends::watched_file";

/// Calls `poll`, which may block, at each `interval`, until `stop` is true or its sender is dropped.
pub(crate) async fn poll_until_stopped(
    interval: Duration,
    mut stop: watch::Receiver<bool>,
    poll: impl Fn() + Send + Sync + 'static,
) {
    let stopped = async {
        // An error means that the sender has been dropped because the server exits.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    let log_panic = |error: &JoinError| {
        tracing::error!(target: FILES_TARGET, "polling a file failed: {error}");
    };
    poll_each(interval, stopped, poll, log_panic).await;
}

/// Calls `poll`, which may block, at each `interval`, and `log_panic` if it panics.
pub(crate) async fn poll_forever(
    interval: Duration,
    poll: impl Fn() + Send + Sync + 'static,
    log_panic: impl Fn(&JoinError),
) {
    poll_each(interval, future::pending(), poll, log_panic).await;
}

/// Calls `poll` at each `interval` until `stopped` completes. Does not interrupt a poll that has started.
async fn poll_each(
    interval: Duration,
    stopped: impl Future<Output = ()>,
    poll: impl Fn() + Send + Sync + 'static,
    log_panic: impl Fn(&JoinError),
) {
    let poll = Arc::new(poll);
    let mut stopped = pin!(stopped);
    loop {
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = &mut stopped => return,
        }
        let poll = Arc::clone(&poll);
        if let Err(error) = tokio::task::spawn_blocking(move || poll()).await {
            log_panic(&error);
        }
    }
}
