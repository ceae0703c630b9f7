//! Room for logins that wait for the call of another one, for an equal token.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastrand::Rng;
use tokio::sync::oneshot;

use super::lane::Turn;
use super::room::{Kind, Room, Spot};
use crate::sts::{AskedBy, Caller};

/// Those who wait for a call that is not theirs. Calls themselves are bounded by the queue.
pub(crate) struct SharingRoom(Mutex<Room>);

impl SharingRoom {
    pub(crate) fn new(size: usize, random: Rng) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Room::new(size, random))))
    }

    /// Lets one more wait. Where there are too many, a random one of the longest line leaves, maybe this one.
    pub(crate) fn enter(self: &Arc<Self>, asked_by: AskedBy, caller: Caller) -> Sharer {
        let kind = Kind::of(caller.standing, asked_by);
        let (told, turn) = oneshot::channel();
        let (spot, dropped) = self.room().push(kind, caller.credential, told);
        if let Some(dropped) = dropped {
            // A sharer that is gone has taken itself out of the room.
            let _ = dropped.send(Turn::Dropped);
        }
        Sharer {
            room: Arc::clone(self),
            spot,
            turn,
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.room().waiting()
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A login that waits for the call of another one.
pub(crate) struct Sharer {
    room: Arc<SharingRoom>,
    spot: Spot,
    turn: oneshot::Receiver<Turn>,
}

impl Sharer {
    /// Waits until the login has to make room for others.
    pub(crate) async fn dropped(&mut self) {
        // The sender goes away only with the room, or when this one has to leave.
        let _ = (&mut self.turn).await;
    }
}

impl Drop for Sharer {
    fn drop(&mut self) {
        self.room.room().remove(&self.spot);
    }
}
