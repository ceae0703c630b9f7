//! The connections of one listener, and their slots.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{self, Instant};

use crate::metrics::PortMetrics;
use crate::server::connections::activity::Activity;
use crate::server::connections::eviction::{
    ClientStanding, ConnectionSnapshot, EvictionChoice, Origin, choose,
};

/// Pause before the next check after an eviction.
const RECHECK_INTERVAL: Duration = Duration::from_millis(50);
/// Minimum pause before the next check, because times have a resolution of milliseconds.
const MIN_WAIT: Duration = Duration::from_millis(1);

/// The connections of one listener.
pub(super) struct ConnectionRegistry {
    limit: usize,
    slots: Arc<Semaphore>,
    members: Mutex<Members>,
    metrics: PortMetrics,
    epoch: Instant,
}

#[derive(Default)]
struct Members {
    arrivals: u64,
    by_arrival: BTreeMap<u64, Arc<Activity>>,
}

impl ConnectionRegistry {
    pub(super) fn new(limit: usize, metrics: &PortMetrics) -> Arc<Self> {
        Arc::new(Self {
            limit,
            slots: Arc::new(Semaphore::new(limit)),
            members: Mutex::default(),
            metrics: metrics.clone(),
            epoch: Instant::now(),
        })
    }

    /// Waits for a slot for a connection from `origin`. Dropping the slot frees it. If no slot is free, other
    /// connections are evicted by the rules of [`choose`].
    pub(super) async fn acquire(self: &Arc<Self>, origin: Origin) -> ConnectionSlot {
        loop {
            // The semaphore is never closed.
            if let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() {
                return self.register(origin, permit);
            }
            let wait = self.make_room(|_| true);
            let free = Arc::clone(&self.slots).acquire_owned();
            if let Ok(Ok(permit)) = time::timeout(wait, free).await {
                return self.register(origin, permit);
            }
        }
    }

    fn register(self: &Arc<Self>, origin: Origin, permit: OwnedSemaphorePermit) -> ConnectionSlot {
        let activity = Arc::new(Activity::new(origin, self.epoch));
        let mut members = self.members.lock();
        let number = members.arrivals;
        members.arrivals += 1;
        members.by_arrival.insert(number, Arc::clone(&activity));
        drop(members);
        self.metrics.open.inc();
        ConnectionSlot {
            registry: Arc::clone(self),
            number,
            activity,
            _permit: permit,
        }
    }

    /// Evicts some strangers. API servers are not evicted, because they could not reconnect without a descriptor.
    pub(super) fn free_descriptors(&self) {
        self.make_room(|snapshot| snapshot.standing == ClientStanding::Stranger);
    }

    /// Evicts some of the connections that `may_leave`. Returns the pause before the next check.
    fn make_room(&self, may_leave: impl Fn(&ConnectionSnapshot) -> bool) -> Duration {
        let (activities, snapshots): (Vec<Arc<Activity>>, Vec<ConnectionSnapshot>) = {
            let members = self.members.lock();
            let all = members.by_arrival.values();
            let all = all.map(|activity| (Arc::clone(activity), activity.snapshot()));
            all.filter(|(_, snapshot)| may_leave(snapshot)).unzip()
        };
        match choose(&snapshots, self.limit, self.epoch.elapsed()) {
            EvictionChoice::Wait(time) => time.max(MIN_WAIT),
            EvictionChoice::Leaving => RECHECK_INTERVAL,
            EvictionChoice::Evict(chosen) => {
                for activity in chosen
                    .iter()
                    .filter_map(|position| activities.get(*position))
                {
                    activity.evict();
                    self.metrics.evicted.inc();
                }
                RECHECK_INTERVAL
            }
        }
    }
}

/// The slot of a connection. Dropping it frees the slot.
pub(super) struct ConnectionSlot {
    registry: Arc<ConnectionRegistry>,
    number: u64,
    pub(super) activity: Arc<Activity>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.registry.members.lock().by_arrival.remove(&self.number);
        self.registry.metrics.open.dec();
    }
}

#[cfg(test)]
mod tests;
