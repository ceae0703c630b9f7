//! The activity of a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{self, Instant};

use crate::server::connections::eviction::{
    ClientStanding, ConnectionSnapshot, ConnectionState, Origin,
};

/// The activity of a connection. hyper has no deadline for a client that sends nothing, or for one that does not read
/// its responses.
pub(super) struct Activity {
    origin: Origin,
    standing: AtomicU8,
    /// Number of requests that have not arrived completely.
    receiving: AtomicUsize,
    /// Number of requests that are being answered.
    answering: AtomicUsize,
    is_leaving: AtomicBool,
    leave: Notify,
    is_closing: AtomicBool,
    epoch: Instant,
    /// Time when the connection was accepted, in milliseconds from `epoch`.
    arrived: u64,
    /// Time when a request was last received or answered, initially `arrived`, in milliseconds from `epoch`.
    last: AtomicU64,
}

impl Activity {
    pub(super) fn new(origin: Origin, epoch: Instant) -> Self {
        let arrived = milliseconds(epoch.elapsed());
        Self {
            origin,
            standing: AtomicU8::new(ClientStanding::Stranger as u8),
            receiving: AtomicUsize::new(0),
            answering: AtomicUsize::new(0),
            is_leaving: AtomicBool::new(false),
            leave: Notify::new(),
            is_closing: AtomicBool::new(false),
            epoch,
            arrived,
            last: AtomicU64::new(arrived),
        }
    }

    /// Starts a request, which ends when the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> RequestGuard {
        self.receiving.fetch_add(1, Ordering::Relaxed);
        RequestGuard {
            activity: Arc::clone(self),
            has_arrived: AtomicBool::new(false),
        }
    }

    /// Raises the standing of the client to at least `standing`.
    pub(super) fn raise(&self, standing: ClientStanding) {
        self.standing.fetch_max(standing as u8, Ordering::Relaxed);
    }

    pub(super) fn standing(&self) -> ClientStanding {
        let standing = self.standing.load(Ordering::Relaxed);
        let all = [ClientStanding::Certified, ClientStanding::Granted];
        let mut above = all.into_iter().filter(|known| *known as u8 <= standing);
        above.next().unwrap_or(ClientStanding::Stranger)
    }

    /// Returns the current state of the connection.
    pub(super) fn snapshot(&self) -> ConnectionSnapshot {
        let some = |count: &AtomicUsize| count.load(Ordering::Relaxed) > 0;
        ConnectionSnapshot {
            origin: self.origin,
            standing: self.standing(),
            state: if some(&self.answering) {
                ConnectionState::Answering
            } else if some(&self.receiving) {
                ConnectionState::Receiving
            } else {
                ConnectionState::Idle
            },
            arrived: Duration::from_millis(self.arrived),
            last: Duration::from_millis(self.last.load(Ordering::Relaxed)),
            is_leaving: self.is_leaving.load(Ordering::Relaxed),
        }
    }

    /// Evicts the connection.
    pub(super) fn evict(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
        self.leave.notify_one();
    }

    /// Waits until the connection is evicted.
    pub(super) async fn wait_for_eviction(&self) {
        self.leave.notified().await;
    }

    /// Closes the connection for further requests: those that arrive from now on do not keep it open.
    pub(super) fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
    }

    /// Waits until there was no request for `time`.
    pub(super) async fn wait_until_idle(&self, time: Duration) {
        loop {
            let quiet = self.now().saturating_sub(self.last.load(Ordering::Relaxed));
            let left = time.saturating_sub(Duration::from_millis(quiet));
            match (self.is_idle(), left) {
                (true, Duration::ZERO) => return,
                (true, left) => time::sleep(left).await,
                (false, _) => time::sleep(time).await,
            }
        }
    }

    /// Returns whether no request is being answered. A request that has not arrived completely does not count, so that
    /// a client cannot keep a connection forever by sending a body slowly.
    fn is_idle(&self) -> bool {
        self.answering.load(Ordering::Relaxed) == 0
    }

    fn touch(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        milliseconds(self.epoch.elapsed())
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Marks a request as open until it is dropped.
pub(in crate::server) struct RequestGuard {
    activity: Arc<Activity>,
    has_arrived: AtomicBool,
}

impl RequestGuard {
    /// Marks the request as complete: from now on, it is being answered.
    pub(in crate::server) fn mark_received(&self) {
        if self.activity.is_closing.load(Ordering::Relaxed) {
            return;
        }
        if !self.has_arrived.swap(true, Ordering::Relaxed) {
            self.activity.answering.fetch_add(1, Ordering::Relaxed);
            self.activity.receiving.fetch_sub(1, Ordering::Relaxed);
            self.activity.touch();
        }
    }

    /// Returns the origin of the connection.
    pub(in crate::server) fn origin(&self) -> Origin {
        self.activity.origin
    }

    /// Returns the standing of the client.
    pub(in crate::server) fn standing(&self) -> ClientStanding {
        self.activity.standing()
    }

    /// Marks the client as granted, so that it is no longer a stranger.
    pub(in crate::server) fn mark_granted(&self) {
        self.activity.raise(ClientStanding::Granted);
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        if *self.has_arrived.get_mut() {
            self.activity.touch();
            self.activity.answering.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.activity.receiving.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
