//! Polling of files, since no notification survives every way of replacing them: a person edits them in place, a program
//! renames another over them, and Kubernetes turns a symbolic link to another folder.
//!
//! [`poll_until_stopped`] and [`poll_forever`] run a poll at each interval. [`LastObserved`] says when a state has settled,
//! [`BadSpell`] how long a bad one has lasted, and [`WatchedFile`] gives the events of one file.

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

/// The target of log lines about polls of files: operators filter the log by it.
const FILES_TARGET: &str = "ack_ram_authenticator::backends::watched_file";

/// Calls `poll`, which may block, each `interval`, until `stop` is true or its sender is gone.
pub(crate) async fn poll_until_stopped(
    interval: Duration,
    mut stop: watch::Receiver<bool>,
    poll: impl Fn() + Send + Sync + 'static,
) {
    let stopped = async {
        // The sender is gone when the server ends.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    let log_panic = |error: &JoinError| {
        tracing::error!(target: FILES_TARGET, "looking at a file failed: {error}");
    };
    poll_each(interval, stopped, poll, log_panic).await;
}

/// Calls `poll`, which may block, each `interval`, and `log_panic` if it panics.
pub(crate) async fn poll_forever(
    interval: Duration,
    poll: impl Fn() + Send + Sync + 'static,
    log_panic: impl Fn(&JoinError),
) {
    poll_each(interval, future::pending(), poll, log_panic).await;
}

/// A poll that has begun ends before this does.
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
