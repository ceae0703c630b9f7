//! The mappings of a cluster: what the watch and the writer of statuses share.

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
/// [`Self::watch`] syncs the rules with the objects, on every replica. [`Self::write_status`] writes their statuses, on one
/// replica; nothing waits for it.
pub struct MappingController {
    pub(super) live: Arc<LiveRules>,
    pub(super) clock: Clock,
    pub(super) observe: Box<Observer>,
    pub(super) status_queue: StatusQueue,
    /// Locked before [`LiveRules`], never after.
    objects: Mutex<ObjectStore>,
}

/// Receives observations, for metrics. Called from the tasks that do the work, so it must be quick.
pub type Observer = dyn Fn(Observation) + Send + Sync;

/// Something that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// So many events have been read from a watch, and what they say is in effect. Lists are not counted.
    InEffect {
        /// How many.
        events: usize,
        /// From when the first of them was read.
        after: Duration,
    },
    /// All objects are listed again: the watch could not be resumed.
    Listed,
    /// A list failed, or a watch ended early.
    WatchFailed,
    /// The status of one object was written.
    StatusWritten,
    /// The status of one object was not written; it will be tried again.
    StatusFailed,
    /// This replica has begun, or ceased, to be the one that writes.
    Leading(bool),
}

impl MappingController {
    /// Will keep the rules of [`Backend::Crd`] in `live`.
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

    /// The rules of `sources` are no longer in effect, since a day has gone by: their authors must be told.
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
