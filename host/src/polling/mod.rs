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

pub(crate) use digest::Digest;
pub(crate) use settling::{BadSpell, LastObserved};
pub(crate) use watched_file::{FileEvent, MAY_BE_MISSING, POLL_INTERVAL, WatchedFile};

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
    poll_each(interval, stopped, "looking at a file", poll).await;
}

/// Calls `poll`, which may block, each `interval`. `activity` names it in the log, should it panic.
pub(crate) async fn poll_forever(
    interval: Duration,
    activity: &'static str,
    poll: impl Fn() + Send + Sync + 'static,
) {
    poll_each(interval, future::pending(), activity, poll).await;
}

/// A poll that has begun ends before this does.
async fn poll_each(
    interval: Duration,
    stopped: impl Future<Output = ()>,
    activity: &'static str,
    poll: impl Fn() + Send + Sync + 'static,
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
            tracing::error!("{activity} failed: {error}");
        }
    }
}
