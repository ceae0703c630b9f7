//! Places for calls, and the queue before them.
//!
//! While places are free there is no queue. When none is, the access keys take turns, so that whoever sends many tokens
//! of one key waits behind their own. The key is what the token claims: it orders the queue, and never refuses anybody.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ack_ram_core::access_key::AccessKeyId;
use tokio::sync::oneshot;

use crate::metrics::QueueMetrics;

/// So many calls at once, and so many that wait.
pub(super) struct FairQueue {
    max_calls: usize,
    max_waiting: usize,
    metrics: QueueMetrics,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: usize,
    waiting: usize,
    arrivals: u64,
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
            state: Mutex::default(),
        })
    }

    /// Waits for a place. Dropping the future gives up; dropping the place makes it free.
    pub(super) async fn enter(self: &Arc<Self>, key: &AccessKeyId) -> Result<Place, Full> {
        let mut waiter = match self.admit(key)? {
            Admission::Place(place) => return Ok(place),
            Admission::Line(waiter) => waiter,
        };
        // The sender goes away only with the queue, which outlives this.
        (&mut waiter.served).await.map_err(|_| Full)?;
        waiter.is_served = true;
        Ok(Place(Arc::clone(self)))
    }

    fn admit(self: &Arc<Self>, key: &AccessKeyId) -> Result<Admission<'_>, Full> {
        let mut state = self.state();
        if state.calls < self.max_calls {
            state.calls += 1;
            return Ok(Admission::Place(Place(Arc::clone(self))));
        }
        if state.waiting >= self.max_waiting {
            self.metrics.refused.inc();
            return Err(Full);
        }
        let (sender, receiver) = oneshot::channel();
        let number = state.arrivals;
        state.arrivals += 1;
        if !state.lines.contains_key(key) {
            state.turns.push_back(key.clone());
        }
        let line = state.lines.entry(key.clone()).or_default();
        line.push_back(Waiting {
            number,
            served: sender,
        });
        state.waiting += 1;
        self.metrics.waiting.inc();
        Ok(Admission::Line(Waiter {
            queue: self,
            key: key.clone(),
            number,
            served: receiver,
            is_served: false,
        }))
    }

    /// Gives a place that is no longer needed to whoever is next.
    fn release(&self) {
        let mut state = self.state();
        while let Some(next) = state.next() {
            self.metrics.waiting.dec();
            if next.served.send(()).is_ok() {
                return;
            }
        }
        state.calls -= 1;
    }

    fn give_up(&self, key: &AccessKeyId, number: u64) {
        let mut state = self.state();
        if state.remove(key, number) {
            self.metrics.waiting.dec();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
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
            self.queue.release();
        } else {
            self.queue.give_up(&self.key, self.number);
        }
    }
}

/// The right to make one call.
pub(super) struct Place(Arc<FairQueue>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.release();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::metrics::StsMetrics;

    fn key(name: &str) -> AccessKeyId {
        AccessKeyId::parse(name).unwrap()
    }

    fn queue(max_calls: usize, max_waiting: usize) -> Arc<FairQueue> {
        let metrics = StsMetrics::unscraped().unwrap();
        FairQueue::new(max_calls, max_waiting, metrics.queue().clone())
    }

    /// A call of `name` that notes when it has its turn.
    fn call(queue: &Arc<FairQueue>, name: &'static str, served: &Served) -> JoinHandle<()> {
        let (queue, served) = (Arc::clone(queue), Arc::clone(served));
        tokio::spawn(async move {
            let _place = queue.enter(&key(name)).await.ok().unwrap();
            served.lock().unwrap().push(name);
            tokio::task::yield_now().await;
        })
    }

    type Served = Arc<Mutex<Vec<&'static str>>>;

    async fn until_waiting(queue: &FairQueue, count: usize) {
        while queue.state().waiting != count {
            tokio::task::yield_now().await;
        }
    }

    /// Nobody calls or waits, and nothing is left over.
    fn assert_idle(queue: &FairQueue) {
        let state = queue.state();
        let counts = (
            state.calls,
            state.waiting,
            state.lines.len(),
            state.turns.len(),
        );
        assert_eq!(counts, (0, 0, 0, 0));
        assert_eq!(queue.metrics.waiting.get(), 0);
    }

    #[tokio::test]
    async fn keys_take_turns_however_many_calls_one_of_them_has() {
        let queue = queue(1, 100);
        let place = queue.enter(&key("flood")).await.ok().unwrap();
        let served = Served::default();
        let mut calls = Vec::new();
        for (waiting, name) in [("flood", 6), ("alice", 2), ("bob", 1)]
            .into_iter()
            .flat_map(|(name, calls)| std::iter::repeat_n(name, calls))
            .enumerate()
        {
            calls.push(call(&queue, name, &served));
            until_waiting(&queue, waiting + 1).await;
        }
        drop(place);
        for call in calls {
            call.await.unwrap();
        }
        assert_eq!(
            *served.lock().unwrap(),
            [
                "flood", "alice", "bob", "flood", "alice", "flood", "flood", "flood", "flood"
            ]
        );
        assert_idle(&queue);
    }

    #[tokio::test]
    async fn there_is_room_for_so_many_and_no_more_whatever_their_key() {
        let queue = queue(2, 3);
        let places = [
            queue.enter(&key("a")).await.ok().unwrap(),
            queue.enter(&key("b")).await.ok().unwrap(),
        ];
        let served = Served::default();
        let calls: Vec<_> = (0..3).map(|_| call(&queue, "a", &served)).collect();
        until_waiting(&queue, 3).await;
        for name in ["a", "c"] {
            assert!(queue.enter(&key(name)).await.is_err(), "{name}");
        }
        assert_eq!(queue.metrics.refused.get(), 2);
        drop(places);
        for call in calls {
            call.await.unwrap();
        }
        assert_eq!(served.lock().unwrap().len(), 3);
        assert_idle(&queue);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_gives_up_takes_no_place_and_leaves_none_behind() {
        let queue = queue(1, 10);
        let place = queue.enter(&key("a")).await.ok().unwrap();
        let served = Served::default();
        let patient = call(&queue, "b", &served);
        until_waiting(&queue, 1).await;
        let impatient = tokio::time::timeout(Duration::from_secs(1), async {
            queue.enter(&key("a")).await.map(drop)
        });
        assert!(impatient.await.is_err());
        until_waiting(&queue, 1).await;
        // This one is served, and gone before it notices.
        let late = call(&queue, "0", &served);
        until_waiting(&queue, 2).await;
        patient.abort();
        drop(place);
        late.await.unwrap();
        assert!(patient.await.unwrap_err().is_cancelled());
        assert_eq!(*served.lock().unwrap(), ["0"]);
        assert_idle(&queue);
    }

    #[tokio::test]
    async fn a_place_that_came_too_late_goes_to_the_next() {
        let queue = queue(1, 10);
        let place = queue.enter(&key("a")).await.ok().unwrap();
        let (b, c) = (key("b"), key("c"));
        let mut gone = Box::pin(queue.enter(&b));
        assert!((&mut gone).now_or_never().is_none());
        let mut next = Box::pin(queue.enter(&c));
        assert!((&mut next).now_or_never().is_none());
        drop(place);
        drop(gone);
        drop(next.await.ok().unwrap());
        assert_idle(&queue);
    }
}
