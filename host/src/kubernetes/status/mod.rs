//! The status of objects, written by the replica that holds the Lease, and events for authors of edits.

pub(super) mod desired;
pub(super) mod events;
mod lease;
pub(super) mod observed;
pub(super) mod queue;
pub(super) mod writer;
