//! The connections of one listener, and the places that there are for them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{self, Instant};

use crate::metrics::ConnectionMetrics;
use crate::server::connections::activity::Activity;
use crate::server::connections::eviction::{Choice, Occupant, Origin, Standing, choose};

/// How soon to look again after somebody was told to leave.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How soon to look again at the earliest. Times here are counted in milliseconds.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// The connections of one listener.
pub(super) struct ConnectionRegistry {
    limit: usize,
    places: Arc<Semaphore>,
    members: Mutex<Members>,
    metrics: ConnectionMetrics,
    epoch: Instant,
}

#[derive(Default)]
struct Members {
    arrivals: u64,
    by_arrival: BTreeMap<u64, Arc<Activity>>,
}

impl ConnectionRegistry {
    pub(super) fn new(limit: usize, metrics: &ConnectionMetrics) -> Arc<Self> {
        Arc::new(Self {
            limit,
            places: Arc::new(Semaphore::new(limit)),
            members: Mutex::default(),
            metrics: metrics.clone(),
            epoch: Instant::now(),
        })
    }

    /// Waits for a place for a connection from `origin`; the place is free again when it is dropped. When there is
    /// none, others have to leave, as [`choose`] says.
    pub(super) async fn enter(self: &Arc<Self>, origin: Origin) -> ConnectionSlot {
        loop {
            // The semaphore is never closed.
            if let Ok(permit) = Arc::clone(&self.places).try_acquire_owned() {
                return self.seat(origin, permit);
            }
            let wait = self.make_room(|_| true);
            let free = Arc::clone(&self.places).acquire_owned();
            if let Ok(Ok(permit)) = time::timeout(wait, free).await {
                return self.seat(origin, permit);
            }
        }
    }

    fn seat(self: &Arc<Self>, origin: Origin, permit: OwnedSemaphorePermit) -> ConnectionSlot {
        let activity = Arc::new(Activity::new(origin, self.epoch));
        let mut members = self.members();
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

    /// Tells some strangers to leave. An API server that left now would not get in again.
    pub(super) fn free_descriptors(&self) {
        self.make_room(|occupant| occupant.standing == Standing::Stranger);
    }

    /// Tells some connections to leave, of those that `may_leave`. Returns how long to wait before the next look.
    fn make_room(&self, may_leave: impl Fn(&Occupant) -> bool) -> Duration {
        let (activities, occupants): (Vec<Arc<Activity>>, Vec<Occupant>) = {
            let members = self.members();
            let all = members.by_arrival.values();
            let all = all.map(|activity| (Arc::clone(activity), activity.occupant()));
            all.filter(|(_, occupant)| may_leave(occupant)).unzip()
        };
        match choose(&occupants, self.limit, self.epoch.elapsed()) {
            Choice::Wait(time) => time.max(SHORTEST_WAIT),
            Choice::Leaving => LOOK_AGAIN,
            Choice::Evict(chosen) => {
                for activity in chosen
                    .iter()
                    .filter_map(|position| activities.get(*position))
                {
                    activity.evict();
                    self.metrics.evicted.inc();
                }
                LOOK_AGAIN
            }
        }
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to be connected.
pub(super) struct ConnectionSlot {
    registry: Arc<ConnectionRegistry>,
    number: u64,
    pub(super) activity: Arc<Activity>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.registry.members().by_arrival.remove(&self.number);
        self.registry.metrics.open.dec();
    }
}

#[cfg(test)]
mod tests;
