//! The queue of objects whose status has to be checked.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::kubernetes::watch::objects::TouchedNames;

/// The names of objects whose status has to be checked, each at most once. Open only while this replica is the leader.
#[derive(Debug, Default)]
pub(in crate::kubernetes) struct StatusQueue {
    names: Mutex<Option<BTreeSet<Arc<str>>>>,
    added: Notify,
}

impl StatusQueue {
    /// Opens the queue with `names`.
    pub(in crate::kubernetes) fn open(&self, names: TouchedNames) {
        *self.names.lock() = Some(names);
        self.added.notify_one();
    }

    /// Closes the queue, and drops its names.
    pub(in crate::kubernetes) fn close(&self) {
        *self.names.lock() = None;
    }

    pub(in crate::kubernetes) fn add(&self, names: impl IntoIterator<Item = Arc<str>>) {
        if let Some(status_queue) = &mut *self.names.lock() {
            status_queue.extend(names);
        }
        self.added.notify_one();
    }

    pub(in crate::kubernetes) fn pop(&self) -> Option<Arc<str>> {
        self.names.lock().as_mut()?.pop_first()
    }

    /// Waits until names have been added since the last call.
    pub(in crate::kubernetes) async fn wait_until_added(&self) {
        self.added.notified().await;
    }
}
