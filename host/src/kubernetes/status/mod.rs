//! The statuses of objects, which the replica that holds the Lease writes, and events for authors of edits.

pub(super) mod desired;
pub(super) mod events;
mod lease;
pub(super) mod observed;
pub(super) mod queue;
pub(super) mod writer;
