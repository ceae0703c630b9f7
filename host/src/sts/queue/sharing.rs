//! Room for followers: logins that wait for the call of another login, with an equal token.

use std::sync::Arc;

use fastrand::Rng;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;

use super::lane::WaitResult;
use super::room::{CallerKind, WaiterId, WaitingRoom};
use crate::sts::{Caller, Requester};

/// The followers of calls. The queue limits the calls themselves.
pub(crate) struct FollowerRoom(Mutex<WaitingRoom>);

impl FollowerRoom {
    pub(crate) fn new(size: usize, random: Rng) -> Arc<Self> {
        Arc::new(Self(Mutex::new(WaitingRoom::new(size, random))))
    }

    /// Adds a follower. If there are too many, a random follower of the longest line is dropped, which may be this one.
    pub(crate) fn add_follower(
        self: &Arc<Self>,
        requester: Requester,
        caller: Caller,
    ) -> FollowerGuard {
        let kind = CallerKind::new(caller.standing, requester);
        let (notify, result) = oneshot::channel();
        let (id, dropped) = self.room().push(kind, caller.credential, notify);
        if let Some(dropped) = dropped {
            // Sending fails only if the follower stopped waiting. It then removes itself from the room.
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
        self.0.lock()
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
        // The sender is dropped only with the room, or sends when this follower has to leave.
        let _ = (&mut self.result).await;
    }
}

impl Drop for FollowerGuard {
    fn drop(&mut self) {
        self.room.room().remove(&self.id);
    }
}
