//! Permits for calls, and the queue for them.
//!
//! While permits are free, no call waits. Otherwise, credentials take turns, so that many tokens of one credential do
//! not delay the tokens of others. If the waiting room is full, a random waiter of the longest line is dropped. The
//! credential is only a claim of the token, and anyone can send many. Therefore half of the permits and of the room is
//! reserved for credentials whose last login was granted, and half for the API server as opposed to proxies.
//!
//! The reasons are in [`crate::manual::fair_queue`].

mod lane;
mod room;
mod sharing;

use std::sync::Arc;

use fastrand::Rng;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::{Caller, CredentialStanding, Requester};
use crate::metrics::QueueMetrics;
use lane::WaitResult;
use room::{CallerKind, KindLimits, PerKind, WaiterId, WaitingRoom};
pub(crate) use sharing::{FollowerGuard, FollowerRoom};

/// The permits for calls, and the queue of calls that wait for one.
pub(super) struct FairQueue {
    metrics: QueueMetrics,
    limits: KindLimits,
    state: Mutex<QueueState>,
}

struct QueueState {
    calls: PerKind<usize>,
    room: WaitingRoom,
    last: LastTurn,
}

/// The kinds that were served last.
struct LastTurn {
    standing: CredentialStanding,
    granted: Requester,
    unproven: Requester,
}

/// No permit, and no room or time to wait for one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct QueueFull;

impl FairQueue {
    pub(super) fn new(
        max_calls: usize,
        max_waiting: usize,
        metrics: QueueMetrics,
        random: Rng,
    ) -> Arc<Self> {
        Arc::new(Self {
            metrics,
            limits: KindLimits::for_calls(max_calls),
            state: Mutex::new(QueueState {
                calls: PerKind::default(),
                room: WaitingRoom::new(max_waiting, random),
                last: LastTurn {
                    standing: CredentialStanding::Unproven,
                    granted: Requester::Proxy,
                    unproven: Requester::Proxy,
                },
            }),
        })
    }

    /// Waits for a permit until `deadline`. Dropping the future abandons the wait; dropping the permit frees it.
    pub(super) async fn acquire(
        self: &Arc<Self>,
        requester: Requester,
        caller: Caller,
        deadline: Instant,
    ) -> Result<CallPermit, QueueFull> {
        let kind = CallerKind::new(caller.standing, requester);
        let admitted = match self.admit(kind, caller) {
            QueueEntry::CallPermit(permit) => return Ok(permit),
            QueueEntry::QueuedCall(waiter) => timeout_at(deadline, waiter.wait()).await,
        };
        let admitted = admitted.unwrap_or(Err(QueueFull));
        if admitted.is_err() {
            self.metrics.refused.inc();
        }
        admitted
    }

    fn admit(self: &Arc<Self>, kind: CallerKind, caller: Caller) -> QueueEntry<'_> {
        let mut state = self.state();
        // A call waits only while no permit that it may use is free.
        if self.has_free_permit(&state, kind) {
            *state.calls.get_mut(kind) += 1;
            return QueueEntry::CallPermit(self.permit(kind));
        }
        let (notify, result) = oneshot::channel();
        let (id, dropped) = state.room.push(kind, caller.credential, notify);
        self.metrics.waiting.inc();
        if let Some(dropped) = dropped {
            self.metrics.waiting.dec();
            // Sending fails only if the waiter stopped waiting. It then removes itself from the room.
            let _ = dropped.send(WaitResult::Dropped);
        }
        QueueEntry::QueuedCall(QueuedCall {
            queue: self,
            id,
            result,
            is_done: false,
        })
    }

    fn has_free_permit(&self, state: &QueueState, kind: CallerKind) -> bool {
        let calls = |kind| *state.calls.get(kind);
        self.limits.has_room(kind, calls)
    }

    fn permit(self: &Arc<Self>, kind: CallerKind) -> CallPermit {
        CallPermit {
            queue: Arc::clone(self),
            kind,
        }
    }

    /// Passes a free permit to the next waiter.
    fn release(&self, kind: CallerKind) {
        let mut state = self.state();
        *state.calls.get_mut(kind) -= 1;
        while let Some((kind, next)) = self.next(&mut state) {
            self.metrics.waiting.dec();
            if next.send(WaitResult::Served).is_ok() {
                *state.calls.get_mut(kind) += 1;
                return;
            }
        }
    }

    /// Removes the next waiter from the room, preferably of the kind whose turn it is, otherwise of another kind that
    /// may call.
    fn next(&self, state: &mut QueueState) -> Option<(CallerKind, oneshot::Sender<WaitResult>)> {
        state.last.kinds_by_turn().into_iter().find_map(|kind| {
            if !self.has_free_permit(state, kind) {
                return None;
            }
            let next = state.room.pop(kind)?;
            state.last.note(kind);
            Some((kind, next))
        })
    }

    fn abandon(&self, id: &WaiterId) {
        if self.state().room.remove(id) {
            self.metrics.waiting.dec();
        }
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock()
    }
}

impl LastTurn {
    /// Returns the kinds in the order of their turns.
    fn kinds_by_turn(&self) -> [CallerKind; 4] {
        let [first, second] = match self.standing {
            CredentialStanding::Granted => {
                [CredentialStanding::Unproven, CredentialStanding::Granted]
            }
            CredentialStanding::Unproven => {
                [CredentialStanding::Granted, CredentialStanding::Unproven]
            }
        };
        let ([a, b], [c, d]) = (self.requesters(first), self.requesters(second));
        [a, b, c, d]
    }

    fn requesters(&self, standing: CredentialStanding) -> [CallerKind; 2] {
        let last = match standing {
            CredentialStanding::Granted => self.granted,
            CredentialStanding::Unproven => self.unproven,
        };
        let requesters = match last {
            Requester::ApiServer => [Requester::Proxy, Requester::ApiServer],
            Requester::Proxy => [Requester::ApiServer, Requester::Proxy],
        };
        requesters.map(|requester| CallerKind::new(standing, requester))
    }

    fn note(&mut self, kind: CallerKind) {
        self.standing = kind.standing;
        match kind.standing {
            CredentialStanding::Granted => self.granted = kind.requester,
            CredentialStanding::Unproven => self.unproven = kind.requester,
        }
    }
}

enum QueueEntry<'a> {
    CallPermit(CallPermit),
    QueuedCall(QueuedCall<'a>),
}

/// A call that waits in the queue.
struct QueuedCall<'a> {
    queue: &'a Arc<FairQueue>,
    id: WaiterId,
    result: oneshot::Receiver<WaitResult>,
    is_done: bool,
}

impl QueuedCall<'_> {
    async fn wait(mut self) -> Result<CallPermit, QueueFull> {
        // The sender is dropped only with the queue, which outlives this future.
        let result = (&mut self.result).await.map_err(|_| QueueFull)?;
        self.is_done = true;
        match result {
            WaitResult::Served => Ok(self.queue.permit(self.id.kind)),
            WaitResult::Dropped => Err(QueueFull),
        }
    }
}

impl Drop for QueuedCall<'_> {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        // After this, no permit can arrive. A permit that has already arrived goes to the next waiter.
        self.result.close();
        match self.result.try_recv() {
            Ok(WaitResult::Served) => self.queue.release(self.id.kind),
            Ok(WaitResult::Dropped) => {}
            Err(_) => self.queue.abandon(&self.id),
        }
    }
}

/// The right to make one call.
pub(super) struct CallPermit {
    queue: Arc<FairQueue>,
    kind: CallerKind,
}

impl Drop for CallPermit {
    fn drop(&mut self) {
        self.queue.release(self.kind);
    }
}

#[cfg(test)]
mod tests;
