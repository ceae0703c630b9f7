//! Room for followers: logins that wait for the call of another login, with an equal token.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastrand::Rng;
use tokio::sync::oneshot;

use super::lane::WaitResult;
use super::room::{CallerKind, WaiterId, WaitingRoom};
use crate::sts::{Caller, Requester};

/// The followers of calls. The queue bounds the calls themselves.
pub(crate) struct FollowerRoom(Mutex<WaitingRoom>);

impl FollowerRoom {
    pub(crate) fn new(size: usize, random: Rng) -> Arc<Self> {
        Arc::new(Self(Mutex::new(WaitingRoom::new(size, random))))
    }

    /// Adds a follower. If there are too many, a random follower of the longest line is dropped, maybe this one.
    pub(crate) fn add_follower(
        self: &Arc<Self>,
        requester: Requester,
        caller: Caller,
    ) -> FollowerGuard {
        let kind = CallerKind::new(caller.standing, requester);
        let (notify, result) = oneshot::channel();
        let (id, dropped) = self.room().push(kind, caller.credential, notify);
        if let Some(dropped) = dropped {
            // A follower that is gone has removed itself from the room.
            let _ = dropped.send(WaitResult::Dropped);
        }
        FollowerGuard {
            room: Arc::clone(self),
            id,
            result,
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.room().waiting()
    }

    fn room(&self) -> MutexGuard<'_, WaitingRoom> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A login that follows the call of another login, until it is dropped.
pub(crate) struct FollowerGuard {
    room: Arc<FollowerRoom>,
    id: WaiterId,
    result: oneshot::Receiver<WaitResult>,
}

impl FollowerGuard {
    /// Waits until the follower has to make room for others.
    pub(crate) async fn dropped(&mut self) {
        // The sender goes away only with the room, or when this one has to leave.
        let _ = (&mut self.result).await;
    }
}

impl Drop for FollowerGuard {
    fn drop(&mut self) {
        self.room.room().remove(&self.id);
    }
}
