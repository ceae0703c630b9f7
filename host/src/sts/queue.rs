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
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;
    use tokio::task::JoinHandle;

    use super::AskedBy::{ApiServer, Proxy};
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
        call_by(ApiServer, queue, name, served)
    }

    fn call_by(
        asked_by: AskedBy,
        queue: &Arc<FairQueue>,
        name: &'static str,
        served: &Served,
    ) -> JoinHandle<()> {
        let (queue, served) = (Arc::clone(queue), Arc::clone(served));
        tokio::spawn(async move {
            let _place = queue.enter(asked_by, &key(name)).await.ok().unwrap();
            served.lock().unwrap().push(name);
            tokio::task::yield_now().await;
        })
    }

    type Served = Arc<Mutex<Vec<&'static str>>>;

    async fn until_waiting(queue: &FairQueue, count: usize) {
        while queue.state().waiting() != count {
            tokio::task::yield_now().await;
        }
    }

    /// Nobody calls or waits, and nothing is left over.
    fn assert_idle(queue: &FairQueue) {
        let state = queue.state();
        for lane in [&state.api_server, &state.proxies] {
            let counts = (lane.calls, lane.waiting, lane.lines.len(), lane.turns.len());
            assert_eq!(counts, (0, 0, 0, 0));
        }
        assert_eq!(queue.metrics.waiting.get(), 0);
    }

    #[tokio::test]
    async fn keys_take_turns_however_many_calls_one_of_them_has() {
        let queue = queue(1, 100);
        let place = queue.enter(ApiServer, &key("flood")).await.ok().unwrap();
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
            queue.enter(ApiServer, &key("a")).await.ok().unwrap(),
            queue.enter(ApiServer, &key("b")).await.ok().unwrap(),
        ];
        let served = Served::default();
        let calls: Vec<_> = (0..3).map(|_| call(&queue, "a", &served)).collect();
        until_waiting(&queue, 3).await;
        for name in ["a", "c"] {
            assert!(queue.enter(ApiServer, &key(name)).await.is_err(), "{name}");
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
        let place = queue.enter(ApiServer, &key("a")).await.ok().unwrap();
        let served = Served::default();
        let patient = call(&queue, "b", &served);
        until_waiting(&queue, 1).await;
        let impatient = tokio::time::timeout(Duration::from_secs(1), async {
            queue.enter(ApiServer, &key("a")).await.map(drop)
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
        let place = queue.enter(ApiServer, &key("a")).await.ok().unwrap();
        let (b, c) = (key("b"), key("c"));
        let mut gone = Box::pin(queue.enter(ApiServer, &b));
        assert!((&mut gone).now_or_never().is_none());
        let mut next = Box::pin(queue.enter(ApiServer, &c));
        assert!((&mut next).now_or_never().is_none());
        drop(place);
        drop(gone);
        drop(next.await.ok().unwrap());
        assert_idle(&queue);
    }

    #[tokio::test]
    async fn proxies_leave_half_of_the_places_and_of_the_room_to_wait() {
        for (max_calls, max_waiting, calls, waiting) in [
            (1, 0, 1, 0),
            (1, 1, 1, 0),
            (2, 2, 1, 1),
            (3, 3, 1, 1),
            (4, 3, 2, 1),
            (5, 6, 2, 3),
        ] {
            let queue = queue(max_calls, max_waiting);
            let name = key("a");
            let enter = |asked_by| Box::pin(queue.enter(asked_by, &name));
            let (mut places, mut lines, mut refused) = (Vec::new(), Vec::new(), 0);
            let mut come = |asked_by, count: usize| {
                let before = (places.len(), lines.len());
                for _ in 0..count {
                    let mut entering = enter(asked_by);
                    match (&mut entering).now_or_never() {
                        Some(Ok(place)) => places.push(place),
                        Some(Err(Full)) => refused += 1,
                        None => lines.push(entering),
                    }
                }
                (places.len() - before.0, lines.len() - before.1)
            };
            let case = (max_calls, max_waiting);
            assert_eq!(come(Proxy, 20), (calls, waiting), "{case:?}");
            let left = (max_calls - calls, max_waiting - waiting);
            assert_eq!(come(ApiServer, 20), left, "{case:?}");
            assert_eq!(refused, 40 - max_calls - max_waiting, "{case:?}");
            drop(lines);
            drop(places);
            assert_idle(&queue);
        }
    }

    #[tokio::test]
    async fn the_api_server_and_proxies_take_turns() {
        let queue = queue(2, 100);
        let places = [
            queue.enter(Proxy, &key("p")).await.ok().unwrap(),
            queue.enter(ApiServer, &key("a")).await.ok().unwrap(),
        ];
        let served = Served::default();
        let mut calls = Vec::new();
        let names = ["p1", "p2", "p3"].map(|name| (Proxy, name));
        let names = names
            .into_iter()
            .chain([(ApiServer, "a1"), (ApiServer, "a2")]);
        for (waiting, (asked_by, name)) in names.enumerate() {
            calls.push(call_by(asked_by, &queue, name, &served));
            until_waiting(&queue, waiting + 1).await;
        }
        let [of_proxy, of_api_server] = places;
        drop(of_proxy);
        for call in calls {
            call.await.unwrap();
        }
        let expected = ["a1", "p1", "a2", "p2", "p3"];
        assert_eq!(*served.lock().unwrap(), expected);
        drop(of_api_server);
        assert_idle(&queue);
    }

    #[tokio::test]
    async fn a_place_of_the_api_servers_half_is_for_no_proxy() {
        let queue = queue(2, 100);
        let of_proxy = queue.enter(Proxy, &key("p")).await.ok().unwrap();
        let of_api_server = queue.enter(ApiServer, &key("a")).await.ok().unwrap();
        let served = Served::default();
        let proxy = call_by(Proxy, &queue, "p1", &served);
        until_waiting(&queue, 1).await;
        let api_server = call_by(ApiServer, &queue, "a1", &served);
        until_waiting(&queue, 2).await;
        drop(of_api_server);
        api_server.await.unwrap();
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(*served.lock().unwrap(), ["a1"]);
        drop(of_proxy);
        proxy.await.unwrap();
        assert_idle(&queue);
    }
}
