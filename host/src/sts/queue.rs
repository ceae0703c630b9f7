//! Places for calls, and the queue before them.
//!
//! While places are free there is no queue. When none is, the access keys take turns, so that whoever sends many tokens
//! of one key waits behind their own. The key is what the token claims: it orders the queue, and never refuses anybody.
//! The API server and proxies have a lane each, and their turns, too.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ack_ram_core::access_key::AccessKeyId;
use tokio::sync::oneshot;

use super::AskedBy;
use crate::metrics::QueueMetrics;

/// So many calls at once, and so many that wait; of both, no more than half for proxies.
pub(super) struct FairQueue {
    max_calls: usize,
    max_waiting: usize,
    metrics: QueueMetrics,
    state: Mutex<State>,
}

struct State {
    api_server: Lane,
    proxies: Lane,
    /// Whose turn was the last.
    last: AskedBy,
    arrivals: u64,
}

#[derive(Default)]
struct Lane {
    calls: usize,
    waiting: usize,
    lines: HashMap<AccessKeyId, VecDeque<Waiting>>,
    /// The keys that have a line, the next to be served first.
    turns: VecDeque<AccessKeyId>,
}

struct Waiting {
    number: u64,
    served: oneshot::Sender<()>,
}

/// There is neither a place nor room to wait for one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl FairQueue {
    pub(super) fn new(max_calls: usize, max_waiting: usize, metrics: QueueMetrics) -> Arc<Self> {
        Arc::new(Self {
            max_calls,
            max_waiting,
            metrics,
            state: Mutex::new(State {
                api_server: Lane::default(),
                proxies: Lane::default(),
                last: AskedBy::Proxy,
                arrivals: 0,
            }),
        })
    }

    /// Waits for a place. Dropping the future gives up; dropping the place makes it free.
    pub(super) async fn enter(
        self: &Arc<Self>,
        asked_by: AskedBy,
        key: &AccessKeyId,
    ) -> Result<Place, Full> {
        let mut waiter = match self.admit(asked_by, key)? {
            Admission::Place(place) => return Ok(place),
            Admission::Line(waiter) => waiter,
        };
        // The sender goes away only with the queue, which outlives this.
        (&mut waiter.served).await.map_err(|_| Full)?;
        waiter.is_served = true;
        Ok(self.place(asked_by))
    }

    fn admit(
        self: &Arc<Self>,
        asked_by: AskedBy,
        key: &AccessKeyId,
    ) -> Result<Admission<'_>, Full> {
        let mut state = self.state();
        // Where there is a place, nobody waits who might have it.
        if state.calls() < self.max_calls && self.may_call(&state, asked_by) {
            state.lane(asked_by).calls += 1;
            return Ok(Admission::Place(self.place(asked_by)));
        }
        if state.waiting() >= self.max_waiting || !self.may_wait(&state, asked_by) {
            self.metrics.refused.inc();
            return Err(Full);
        }
        let (sender, receiver) = oneshot::channel();
        let number = state.arrivals;
        state.arrivals += 1;
        state.lane(asked_by).push(
            key,
            Waiting {
                number,
                served: sender,
            },
        );
        self.metrics.waiting.inc();
        Ok(Admission::Line(Waiter {
            queue: self,
            asked_by,
            key: key.clone(),
            number,
            served: receiver,
            is_served: false,
        }))
    }

    /// Whether one more call leaves the API server its half. Of one place there is none.
    fn may_call(&self, state: &State, asked_by: AskedBy) -> bool {
        match asked_by {
            AskedBy::ApiServer => true,
            AskedBy::Proxy => state.proxies.calls < (self.max_calls / 2).max(1),
        }
    }

    /// Whether one more who waits leaves the API server its half.
    fn may_wait(&self, state: &State, asked_by: AskedBy) -> bool {
        match asked_by {
            AskedBy::ApiServer => true,
            AskedBy::Proxy => state.proxies.waiting < self.max_waiting / 2,
        }
    }

    fn place(self: &Arc<Self>, asked_by: AskedBy) -> Place {
        Place {
            queue: Arc::clone(self),
            asked_by,
        }
    }

    /// Gives a place that is no longer needed to whoever is next.
    fn release(&self, asked_by: AskedBy) {
        let mut state = self.state();
        state.lane(asked_by).calls -= 1;
        while let Some((asked_by, next)) = self.next(&mut state) {
            self.metrics.waiting.dec();
            if next.served.send(()).is_ok() {
                state.lane(asked_by).calls += 1;
                return;
            }
        }
    }

    /// The next of the lane whose turn it is, or else of the other one.
    fn next(&self, state: &mut State) -> Option<(AskedBy, Waiting)> {
        let in_turn = match state.last {
            AskedBy::ApiServer => [AskedBy::Proxy, AskedBy::ApiServer],
            AskedBy::Proxy => [AskedBy::ApiServer, AskedBy::Proxy],
        };
        in_turn.into_iter().find_map(|asked_by| {
            if !self.may_call(state, asked_by) {
                return None;
            }
            let next = state.lane(asked_by).next()?;
            state.last = asked_by;
            Some((asked_by, next))
        })
    }

    fn give_up(&self, asked_by: AskedBy, key: &AccessKeyId, number: u64) {
        let mut state = self.state();
        if state.lane(asked_by).remove(key, number) {
            self.metrics.waiting.dec();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn lane(&mut self, asked_by: AskedBy) -> &mut Lane {
        match asked_by {
            AskedBy::ApiServer => &mut self.api_server,
            AskedBy::Proxy => &mut self.proxies,
        }
    }

    fn calls(&self) -> usize {
        self.api_server.calls + self.proxies.calls
    }

    fn waiting(&self) -> usize {
        self.api_server.waiting + self.proxies.waiting
    }
}

impl Lane {
    fn push(&mut self, key: &AccessKeyId, waiting: Waiting) {
        if !self.lines.contains_key(key) {
            self.turns.push_back(key.clone());
        }
        let line = self.lines.entry(key.clone()).or_default();
        line.push_back(waiting);
        self.waiting += 1;
    }

    /// The first in the line whose turn it is, which then is the last to have its turn.
    fn next(&mut self) -> Option<Waiting> {
        let key = self.turns.pop_front()?;
        let line = self.lines.get_mut(&key)?;
        let next = line.pop_front();
        if line.is_empty() {
            self.lines.remove(&key);
        } else {
            self.turns.push_back(key);
        }
        self.waiting -= usize::from(next.is_some());
        next
    }

    fn remove(&mut self, key: &AccessKeyId, number: u64) -> bool {
        let Some(line) = self.lines.get_mut(key) else {
            return false;
        };
        let before = line.len();
        line.retain(|waiting| waiting.number != number);
        let is_removed = line.len() < before;
        if line.is_empty() {
            self.lines.remove(key);
            self.turns.retain(|other| other != key);
        }
        self.waiting -= usize::from(is_removed);
        is_removed
    }
}

enum Admission<'a> {
    Place(Place),
    Line(Waiter<'a>),
}

/// Someone in line.
struct Waiter<'a> {
    queue: &'a Arc<FairQueue>,
    asked_by: AskedBy,
    key: AccessKeyId,
    number: u64,
    served: oneshot::Receiver<()>,
    is_served: bool,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if self.is_served {
            return;
        }
        // From here on no place can come; one that has come already goes to the next.
        self.served.close();
        if self.served.try_recv().is_ok() {
            self.queue.release(self.asked_by);
        } else {
            self.queue.give_up(self.asked_by, &self.key, self.number);
        }
    }
}

/// The right to make one call.
pub(super) struct Place {
    queue: Arc<FairQueue>,
    asked_by: AskedBy,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.release(self.asked_by);
    }
}

#[cfg(test)]
mod tests;
