//! Places for calls, and the queue before them.
//!
//! While places are free there is no queue. When none is, credentials take turns, so that the sender of many tokens of
//! one credential waits behind those. When the room to wait is full, a random waiter of the longest line makes room. A
//! credential is what the token claims: anyone can send many. Credentials whose last login the rules granted therefore
//! have half of the places and of the room to themselves, and so does the API server beside proxies.

mod lane;
mod room;
mod sharing;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastrand::Rng;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::{AskedBy, Caller, Standing};
use crate::metrics::QueueMetrics;
use lane::Turn;
use room::{Kind, PerKind, Room, Shares, Spot};
pub(crate) use sharing::{Sharer, SharingRoom};

/// The places for calls, and those who wait for one.
pub(super) struct FairQueue {
    metrics: QueueMetrics,
    shares: Shares,
    state: Mutex<State>,
}

struct State {
    calls: PerKind<usize>,
    room: Room,
    last: LastTurn,
}

/// Who was served last.
struct LastTurn {
    standing: Standing,
    granted: AskedBy,
    unproven: AskedBy,
}

/// There is neither a place, nor room or time to wait for one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl FairQueue {
    pub(super) fn new(
        max_calls: usize,
        max_waiting: usize,
        metrics: QueueMetrics,
        random: Rng,
    ) -> Arc<Self> {
        Arc::new(Self {
            metrics,
            shares: Shares::of_calls(max_calls),
            state: Mutex::new(State {
                calls: PerKind::default(),
                room: Room::new(max_waiting, random),
                last: LastTurn {
                    standing: Standing::Unproven,
                    granted: AskedBy::Proxy,
                    unproven: AskedBy::Proxy,
                },
            }),
        })
    }

    /// Waits for a place until `deadline`. Dropping the future gives up; dropping the place makes it free.
    pub(super) async fn enter(
        self: &Arc<Self>,
        asked_by: AskedBy,
        caller: Caller,
        deadline: Instant,
    ) -> Result<Place, Full> {
        let kind = Kind::of(caller.standing, asked_by);
        let entered = match self.admit(kind, caller) {
            Admission::Place(place) => return Ok(place),
            Admission::Waiter(waiter) => timeout_at(deadline, waiter.wait()).await,
        };
        let entered = entered.unwrap_or(Err(Full));
        if entered.is_err() {
            self.metrics.refused.inc();
        }
        entered
    }

    fn admit(self: &Arc<Self>, kind: Kind, caller: Caller) -> Admission<'_> {
        let mut state = self.state();
        // Where there is a place, nobody waits who might have it.
        if self.may_call(&state, kind) {
            *state.calls.get_mut(kind) += 1;
            return Admission::Place(self.place(kind));
        }
        let (told, turn) = oneshot::channel();
        let (spot, dropped) = state.room.push(kind, caller.credential, told);
        self.metrics.waiting.inc();
        if let Some(dropped) = dropped {
            self.metrics.waiting.dec();
            // A waiter that is gone has taken itself out of the room.
            let _ = dropped.send(Turn::Dropped);
        }
        Admission::Waiter(Waiter {
            queue: self,
            spot,
            turn,
            is_over: false,
        })
    }

    fn may_call(&self, state: &State, kind: Kind) -> bool {
        let calls = |kind| *state.calls.get(kind);
        self.shares.admit_one_more(kind, calls)
    }

    fn place(self: &Arc<Self>, kind: Kind) -> Place {
        Place {
            queue: Arc::clone(self),
            kind,
        }
    }

    /// Gives a place that is no longer needed to whoever is next.
    fn release(&self, kind: Kind) {
        let mut state = self.state();
        *state.calls.get_mut(kind) -= 1;
        while let Some((kind, next)) = self.next(&mut state) {
            self.metrics.waiting.dec();
            if next.send(Turn::Served).is_ok() {
                *state.calls.get_mut(kind) += 1;
                return;
            }
        }
    }

    /// Removes the waiter whose turn it is from the room: of the kind whose turn it is, or else of another that may call.
    fn next(&self, state: &mut State) -> Option<(Kind, oneshot::Sender<Turn>)> {
        state.last.in_turn().into_iter().find_map(|kind| {
            if !self.may_call(state, kind) {
                return None;
            }
            let next = state.room.pop(kind)?;
            state.last.note(kind);
            Some((kind, next))
        })
    }

    fn give_up(&self, spot: &Spot) {
        if self.state().room.remove(spot) {
            self.metrics.waiting.dec();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LastTurn {
    /// Returns the kinds in the order of their turns.
    fn in_turn(&self) -> [Kind; 4] {
        let [first, second] = match self.standing {
            Standing::Granted => [Standing::Unproven, Standing::Granted],
            Standing::Unproven => [Standing::Granted, Standing::Unproven],
        };
        let ([a, b], [c, d]) = (self.requesters(first), self.requesters(second));
        [a, b, c, d]
    }

    fn requesters(&self, standing: Standing) -> [Kind; 2] {
        let last = match standing {
            Standing::Granted => self.granted,
            Standing::Unproven => self.unproven,
        };
        let requesters = match last {
            AskedBy::ApiServer => [AskedBy::Proxy, AskedBy::ApiServer],
            AskedBy::Proxy => [AskedBy::ApiServer, AskedBy::Proxy],
        };
        requesters.map(|asked_by| Kind::of(standing, asked_by))
    }

    fn note(&mut self, kind: Kind) {
        self.standing = kind.standing;
        match kind.standing {
            Standing::Granted => self.granted = kind.asked_by,
            Standing::Unproven => self.unproven = kind.asked_by,
        }
    }
}

enum Admission<'a> {
    Place(Place),
    Waiter(Waiter<'a>),
}

/// A caller in line.
struct Waiter<'a> {
    queue: &'a Arc<FairQueue>,
    spot: Spot,
    turn: oneshot::Receiver<Turn>,
    is_over: bool,
}

impl Waiter<'_> {
    async fn wait(mut self) -> Result<Place, Full> {
        // The sender goes away only with the queue, which outlives this.
        let turn = (&mut self.turn).await.map_err(|_| Full)?;
        self.is_over = true;
        match turn {
            Turn::Served => Ok(self.queue.place(self.spot.kind)),
            Turn::Dropped => Err(Full),
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        // From here on no place can come; one that has come already goes to the next.
        self.turn.close();
        match self.turn.try_recv() {
            Ok(Turn::Served) => self.queue.release(self.spot.kind),
            Ok(Turn::Dropped) => {}
            Err(_) => self.queue.give_up(&self.spot),
        }
    }
}

/// The right to make one call.
pub(super) struct Place {
    queue: Arc<FairQueue>,
    kind: Kind,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.release(self.kind);
    }
}

#[cfg(test)]
mod tests;
