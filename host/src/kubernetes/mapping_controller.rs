//! The controller of the mappings of a cluster: the state that the watch and the status writer share.

use std::sync::Arc;
use std::time::Duration;

use ack_ram_core::rules::{Backend, Source};
use parking_lot::{Mutex, MutexGuard};

use crate::backends::live::LiveRules;
use crate::clock::Clock;
use crate::kubernetes::status::queue::StatusQueue;
use crate::kubernetes::watch::objects::ObjectStore;

/// The controller of the `RAMIdentityMapping` objects of a cluster.
///
/// [`Self::watch`] syncs the rules with the objects, on every replica. [`Self::write_status`] writes the status of the
/// objects, on one replica. Nothing waits for it.
pub struct MappingController {
    pub(super) live: Arc<LiveRules>,
    pub(super) clock: Clock,
    pub(super) observe: Box<Observer>,
    pub(super) status_queue: StatusQueue,
    /// Locked before [`LiveRules`], never after.
    objects: Mutex<ObjectStore>,
}

/// Receives observations for metrics. The tasks that do the work call it, so it must return quickly.
pub type Observer = dyn Fn(Observation) + Send + Sync;

/// An observation of the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// Events of a watch have been read and are in effect. Does not count lists.
    InEffect {
        /// The number of events.
        events: usize,
        /// The time since the first of the events was read.
        after: Duration,
    },
    /// A list of all objects has started, because the watch could not be resumed.
    Listed,
    /// A list failed, or a watch ended early.
    WatchFailed,
    /// The status of one object was written.
    StatusWritten,
    /// Writing the status of one object failed. The write will be retried.
    StatusFailed,
    /// This replica became the leader (`true`) or is no longer the leader (`false`).
    Leading(bool),
}

impl MappingController {
    /// Creates a controller that updates the rules of [`Backend::Crd`] in `live`.
    #[must_use]
    pub fn new(live: Arc<LiveRules>, clock: Clock, observe: Box<Observer>) -> Self {
        Self {
            live,
            clock,
            observe,
            status_queue: StatusQueue::default(),
            objects: Mutex::default(),
        }
    }

    /// Queues status updates for `sources`, whose last good forms have expired.
    pub fn expired(&self, sources: &[Source]) {
        let expired: Vec<Arc<str>> = sources
            .iter()
            .filter(|source| source.backend == Backend::Crd)
            .map(|source| source.position.as_str().into())
            .collect();
        if !expired.is_empty() {
            let conflicted = self.objects().conflicted();
            self.status_queue.add(expired.into_iter().chain(conflicted));
        }
    }

    pub(super) fn objects(&self) -> MutexGuard<'_, ObjectStore> {
        self.objects.lock()
    }
}
