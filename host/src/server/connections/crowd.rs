//! Who is connected, and who has to leave when there are too many.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{self, Instant};

use crate::metrics::ConnectionMetrics;

/// How soon to look again whether somebody is idle, when nobody was.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Of so many, one is asked to leave at a time: looking for them is work.
const SHARE: usize = 64;

/// The connections of one listener.
pub(super) struct Crowd {
    limit: usize,
    places: Arc<Semaphore>,
    members: Mutex<Members>,
    metrics: ConnectionMetrics,
    epoch: Instant,
}

#[derive(Default)]
struct Members {
    arrivals: u64,
    by_arrival: HashMap<u64, Arc<Activity>>,
}

impl Crowd {
    pub(super) fn new(limit: usize, metrics: &ConnectionMetrics) -> Arc<Self> {
        Arc::new(Self {
            limit,
            places: Arc::new(Semaphore::new(limit)),
            members: Mutex::default(),
            metrics: metrics.clone(),
            epoch: Instant::now(),
        })
    }

    /// Waits for a place, which is free again when it is dropped. When there is none, those who are idle have to leave.
    pub(super) async fn enter(self: &Arc<Self>) -> Place {
        loop {
            // The semaphore is never closed.
            if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
                return self.seat(permit);
            }
            self.make_room();
            let free = Arc::clone(&self.places).acquire_owned();
            if let Ok(Ok(permit)) = time::timeout(LOOK_AGAIN, free).await {
                return self.seat(permit);
            }
        }
    }

    fn seat(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Place {
        let activity = Arc::new(Activity::new(self.epoch));
        let mut members = self.members();
        let number = members.arrivals;
        members.arrivals += 1;
        members.by_arrival.insert(number, Arc::clone(&activity));
        drop(members);
        self.metrics.open.inc();
        Place {
            crowd: Arc::clone(self),
            number,
            activity,
            _permit: permit,
        }
    }

    /// Asks some of those who are idle to leave: first those who never asked anything, then those who did so longest
    /// ago. API servers are the last.
    pub(super) fn make_room(&self) {
        self.ask_to_leave(|_| true);
    }

    /// Asks some of those who never asked anything to leave. An API server that left now would not get in again.
    pub(super) fn free_descriptors(&self) {
        self.ask_to_leave(|activity| !activity.has_asked());
    }

    fn ask_to_leave(&self, may_be_asked: impl Fn(&Activity) -> bool) {
        let members = self.members();
        let mut idle: Vec<(bool, u64, u64, &Arc<Activity>)> = members
            .by_arrival
            .iter()
            .filter(|(_, activity)| {
                activity.is_idle() && !activity.is_leaving.load(Ordering::Relaxed)
            })
            .filter(|(_, activity)| may_be_asked(activity))
            .map(|(number, activity)| {
                (
                    activity.has_asked(),
                    activity.last.load(Ordering::Relaxed),
                    *number,
                    activity,
                )
            })
            .collect();
        // Of those of one millisecond, the first to come.
        idle.sort_unstable_by_key(|(has_asked, last, number, _)| (*has_asked, *last, *number));
        for (.., activity) in idle.iter().take((self.limit / SHARE).max(1)) {
            activity.is_leaving.store(true, Ordering::Relaxed);
            activity.leave.notify_one();
            self.metrics.evicted.inc();
        }
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to be connected.
pub(super) struct Place {
    crowd: Arc<Crowd>,
    number: u64,
    pub(super) activity: Arc<Activity>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.crowd.members().by_arrival.remove(&self.number);
        self.crowd.metrics.open.dec();
    }
}

/// What a connection is doing. hyper has no deadline for a client that says nothing at all, nor for one that does not
/// read its answers.
pub(super) struct Activity {
    requests: AtomicUsize,
    has_asked: AtomicBool,
    is_leaving: AtomicBool,
    leave: Notify,
    is_closing: AtomicBool,
    epoch: Instant,
    /// When a request began or ended last, or the connection was made; in milliseconds from `epoch`.
    last: AtomicU64,
}

impl Activity {
    fn new(epoch: Instant) -> Self {
        let activity = Self {
            requests: AtomicUsize::new(0),
            has_asked: AtomicBool::new(false),
            is_leaving: AtomicBool::new(false),
            leave: Notify::new(),
            is_closing: AtomicBool::new(false),
            epoch,
            last: AtomicU64::new(0),
        };
        activity.touch();
        activity
    }

    /// A request begins; it ends when the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        Busy {
            activity: Arc::clone(self),
            has_arrived: AtomicBool::new(false),
        }
    }

    /// No request that arrives from now on keeps the connection open.
    pub(super) fn close(&self) {
        self.is_closing.store(true, Ordering::Relaxed);
    }

    /// Waits until somebody else needs the place of this connection.
    pub(super) async fn evicted(&self) {
        self.leave.notified().await;
    }

    /// Waits until there has been no request for `time`.
    pub(super) async fn idle_for(&self, time: Duration) {
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

    /// Whether it ever asked anything.
    pub(super) fn has_asked(&self) -> bool {
        self.has_asked.load(Ordering::Relaxed)
    }

    fn is_idle(&self) -> bool {
        self.requests.load(Ordering::Relaxed) == 0
    }

    fn touch(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// A request. Until all of it has arrived its connection counts as idle, lest whoever sends a body slowly keeps a place
/// from those who ask.
pub(in crate::server) struct Busy {
    activity: Arc<Activity>,
    has_arrived: AtomicBool,
}

impl Busy {
    /// All of it is there, and is being answered.
    pub(in crate::server) fn arrived(&self) {
        if self.activity.is_closing.load(Ordering::Relaxed) {
            return;
        }
        if !self.has_arrived.swap(true, Ordering::Relaxed) {
            self.activity.requests.fetch_add(1, Ordering::Relaxed);
            self.activity.has_asked.store(true, Ordering::Relaxed);
            self.activity.touch();
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if *self.has_arrived.get_mut() {
            self.activity.touch();
            self.activity.requests.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
