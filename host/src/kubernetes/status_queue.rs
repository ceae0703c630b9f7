//! The objects whose status has to be looked at.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::objects::TouchedNames;

/// The names of objects whose status is due, each at most once. Kept only while this replica writes statuses.
#[derive(Debug, Default)]
pub(super) struct StatusQueue {
    names: Mutex<Option<BTreeSet<Arc<str>>>>,
    added: Notify,
}

impl StatusQueue {
    /// Opens the queue with `names`.
    pub(super) fn open(&self, names: TouchedNames) {
        *self.lock() = Some(names);
        self.added.notify_one();
    }

    /// Closes the queue, and drops its names.
    pub(super) fn close(&self) {
        *self.lock() = None;
    }

    pub(super) fn add(&self, names: impl IntoIterator<Item = Arc<str>>) {
        if let Some(status_queue) = &mut *self.lock() {
            status_queue.extend(names);
        }
        self.added.notify_one();
    }

    pub(super) fn pop(&self) -> Option<Arc<str>> {
        self.lock().as_mut()?.pop_first()
    }

    /// Waits until names have been added since the last call.
    pub(super) async fn wait_until_added(&self) {
        self.added.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Option<BTreeSet<Arc<str>>>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
