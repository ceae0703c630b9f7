mod floods;

use std::time::Duration;

use ack_ram_core::access_key::{AccessKeyId, CredentialId};
use futures_util::FutureExt;
use tokio::task::JoinHandle;

use super::Requester::{ApiServer, Proxy};
use super::*;
use crate::metrics::StsMetrics;

const SEED: u64 = 13;

fn caller(name: &str, standing: CredentialStanding) -> Caller {
    Caller {
        credential: CredentialId::from_key(&AccessKeyId::parse(name).unwrap(), None),
        standing,
    }
}

fn granted(name: &str) -> Caller {
    caller(name, CredentialStanding::Granted)
}

fn unproven(name: &str) -> Caller {
    caller(name, CredentialStanding::Unproven)
}

fn queue(max_calls: usize, max_waiting: usize) -> Arc<FairQueue> {
    let metrics = StsMetrics::disabled().unwrap();
    let random = Rng::with_seed(SEED);
    FairQueue::new(max_calls, max_waiting, metrics.queue().clone(), random)
}

/// Waits for a permit for as long as a test may take.
async fn acquire(
    queue: &Arc<FairQueue>,
    requester: Requester,
    caller: Caller,
) -> Result<CallPermit, QueueFull> {
    let deadline = Instant::now() + Duration::from_secs(3_600);
    queue.acquire(requester, caller, deadline).await
}

/// Starts a call of `name` that records its turn.
fn call(queue: &Arc<FairQueue>, name: &'static str, served: &Served) -> JoinHandle<()> {
    call_by(ApiServer, queue, name, served)
}

fn call_by(
    requester: Requester,
    queue: &Arc<FairQueue>,
    name: &'static str,
    served: &Served,
) -> JoinHandle<()> {
    let (queue, served) = (Arc::clone(queue), Arc::clone(served));
    tokio::spawn(async move {
        let _permit = acquire(&queue, requester, granted(name))
            .await
            .ok()
            .unwrap();
        served.lock().push(name);
        tokio::task::yield_now().await;
    })
}

type Served = Arc<Mutex<Vec<&'static str>>>;

async fn wait_until_waiting(queue: &FairQueue, count: usize) {
    while queue.state().room.waiting() != count {
        tokio::task::yield_now().await;
    }
}

/// Asserts that there are no calls and no waiters, and that nothing leaked.
fn assert_idle(queue: &FairQueue) {
    let state = queue.state();
    for kind in CallerKind::ALL {
        assert_eq!(*state.calls.get(kind), 0);
    }
    assert!(state.room.is_empty());
    assert_eq!(queue.metrics.waiting.get(), 0);
}

#[tokio::test]
async fn credentials_take_turns_regardless_of_their_number_of_calls() {
    let queue = queue(1, 100);
    let permit = acquire(&queue, ApiServer, granted("flood"))
        .await
        .ok()
        .unwrap();
    let served = Served::default();
    let mut calls = Vec::new();
    for (waiting, name) in [("flood", 6), ("alice", 2), ("bob", 1)]
        .into_iter()
        .flat_map(|(name, calls)| std::iter::repeat_n(name, calls))
        .enumerate()
    {
        calls.push(call(&queue, name, &served));
        wait_until_waiting(&queue, waiting + 1).await;
    }
    drop(permit);
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(
        *served.lock(),
        [
            "flood", "alice", "bob", "flood", "alice", "flood", "flood", "flood", "flood"
        ]
    );
    assert_idle(&queue);
}

/// A queue that always refuses the newcomer would fail this test.
#[tokio::test]
async fn full_room_drops_a_random_waiter_of_the_longest_line() {
    let queue = queue(1, 8);
    let permit = acquire(&queue, ApiServer, granted("x")).await.ok().unwrap();
    let join = |name: &'static str| {
        let mut entering = acquire(&queue, ApiServer, granted(name)).boxed_local();
        assert!((&mut entering).now_or_never().is_none(), "{name}");
        entering
    };
    let mut flood: Vec<_> = (0..8).map(|_| join("flood")).collect();
    let others: Vec<_> = ["a", "b", "a", "c"].into_iter().map(join).collect();
    // Each of the others has its place. The flood lost as many waiters, not only the last ones.
    let dropped: Vec<usize> = flood
        .iter_mut()
        .enumerate()
        .filter_map(|(index, waiter)| Some((index, waiter.now_or_never()?)))
        .map(|(index, admitted)| {
            assert!(admitted.is_err());
            index
        })
        .collect();
    assert_eq!(dropped.len(), 4);
    assert_ne!(dropped, [4, 5, 6, 7]);
    assert_eq!(queue.metrics.refused.get(), 4);
    assert_eq!(queue.metrics.waiting.get(), 8);
    drop((flood, others, permit));
    assert_idle(&queue);
}

#[tokio::test]
async fn lines_of_one_waiter_are_dropped_equally_often() {
    const ROUNDS: usize = 2_000;
    const ROOM: usize = 4;
    let queue = queue(1, ROOM);
    let permit = acquire(&queue, ApiServer, granted("x")).await.ok().unwrap();
    let names = ["a", "b", "c", "d", "e"];
    let mut times = [0; ROOM + 1];
    for _ in 0..ROUNDS {
        let mut waiters =
            names.map(|name| Some(acquire(&queue, ApiServer, granted(name)).boxed_local()));
        // Poll twice, because the last waiter may evict one of those before it.
        for _ in 0..2 {
            for waiter in &mut waiters {
                if waiter
                    .as_mut()
                    .is_some_and(|waiter| waiter.now_or_never().is_some())
                {
                    *waiter = None;
                }
            }
        }
        let dropped = waiters.iter().position(Option::is_none).unwrap();
        assert_eq!(waiters.iter().flatten().count(), ROOM);
        times[dropped] += 1;
        // Otherwise, tokio's cooperative budget runs out, and every future is reported as pending.
        tokio::task::yield_now().await;
    }
    for times in times {
        assert!((300..500).contains(&times), "{times}");
    }
    drop(permit);
    assert_idle(&queue);
}

#[tokio::test(start_paused = true)]
async fn dropped_waiter_takes_no_permit_and_leaks_none() {
    let queue = queue(1, 10);
    let permit = acquire(&queue, ApiServer, granted("a")).await.ok().unwrap();
    let served = Served::default();
    let patient = call(&queue, "b", &served);
    wait_until_waiting(&queue, 1).await;
    let impatient = tokio::time::timeout(Duration::from_secs(1), async {
        acquire(&queue, ApiServer, granted("a")).await.map(drop)
    });
    assert!(impatient.await.is_err());
    wait_until_waiting(&queue, 1).await;
    // The patient waiter is served, but aborted before it notices.
    let late = call(&queue, "0", &served);
    wait_until_waiting(&queue, 2).await;
    patient.abort();
    drop(permit);
    late.await.unwrap();
    assert!(patient.await.unwrap_err().is_cancelled());
    assert_eq!(*served.lock(), ["0"]);
    assert_idle(&queue);
}

#[tokio::test(start_paused = true)]
async fn waiter_past_deadline_leaves() {
    let queue = queue(1, 10);
    let permit = acquire(&queue, ApiServer, granted("a")).await.ok().unwrap();
    let deadline = Instant::now() + Duration::from_secs(3);
    let admitted = queue.acquire(ApiServer, granted("b"), deadline).await;
    assert!(admitted.is_err());
    assert_eq!(Instant::now(), deadline);
    assert_eq!(queue.metrics.refused.get(), 1);
    drop(permit);
    assert_idle(&queue);
}

#[tokio::test]
async fn permit_of_late_waiter_goes_to_next_waiter() {
    let queue = queue(1, 10);
    let permit = acquire(&queue, ApiServer, granted("a")).await.ok().unwrap();
    let mut dropped = Box::pin(acquire(&queue, ApiServer, granted("b")));
    assert!((&mut dropped).now_or_never().is_none());
    let mut next = Box::pin(acquire(&queue, ApiServer, granted("c")));
    assert!((&mut next).now_or_never().is_none());
    drop(permit);
    drop(dropped);
    drop(next.await.ok().unwrap());
    assert_idle(&queue);
}

/// Callers of any kind, each with its own credential.
struct Callers<'a> {
    queue: &'a Arc<FairQueue>,
    permits: Vec<CallPermit>,
    waiters: Vec<futures_util::future::LocalBoxFuture<'a, Result<CallPermit, QueueFull>>>,
    names: usize,
}

impl<'a> Callers<'a> {
    fn new(queue: &'a Arc<FairQueue>) -> Self {
        Self {
            queue,
            permits: Vec::new(),
            waiters: Vec::new(),
            names: 0,
        }
    }

    fn acquire_many(
        &mut self,
        standing: CredentialStanding,
        requester: Requester,
        count: usize,
    ) -> (usize, usize) {
        for _ in 0..count {
            self.names += 1;
            let caller = caller(&self.names.to_string(), standing);
            let mut entering = acquire(self.queue, requester, caller).boxed_local();
            match (&mut entering).now_or_never() {
                Some(admitted) => self.permits.extend(admitted.ok()),
                None => self.waiters.push(entering),
            }
        }
        let state = self.queue.state();
        let kind = CallerKind::new(standing, requester);
        (*state.calls.get(kind), state.room.waiting_of(kind))
    }
}

#[tokio::test]
async fn each_kind_leaves_room_to_higher_kinds() {
    use CredentialStanding::{Granted, Unproven};
    // Calls and waiters of unproven proxies, of unproven callers of the API server, of granted proxies, and of granted
    // callers of the API server, if 200 of each arrive in this order.
    for (max_calls, max_waiting, expected) in [
        (1, 0, [(1, 0), (0, 0), (0, 0), (0, 0)]),
        (1, 1, [(1, 0), (0, 1), (0, 0), (0, 1)]),
        (2, 2, [(1, 1), (0, 1), (0, 1), (1, 1)]),
        (3, 3, [(1, 1), (1, 1), (0, 1), (1, 1)]),
        (4, 4, [(1, 1), (1, 1), (1, 1), (1, 1)]),
        (8, 8, [(2, 2), (2, 2), (2, 2), (2, 2)]),
        (64, 64, [(16, 16), (16, 16), (16, 16), (16, 16)]),
    ] {
        let queue = queue(max_calls, max_waiting);
        let mut callers = Callers::new(&queue);
        let acquired = [
            callers.acquire_many(Unproven, Proxy, 200),
            callers.acquire_many(Unproven, ApiServer, 200),
            callers.acquire_many(Granted, Proxy, 200),
            callers.acquire_many(Granted, ApiServer, 200),
        ];
        let case = (max_calls, max_waiting);
        assert_eq!(acquired, expected, "{case:?}");
        drop(callers);
        assert_idle(&queue);
    }
}

#[tokio::test]
async fn granted_api_server_caller_has_permit_under_any_load() {
    use CredentialStanding::{Granted, Unproven};
    for max_calls in 2..20 {
        let queue = queue(max_calls, 20);
        let mut callers = Callers::new(&queue);
        callers.acquire_many(Granted, Proxy, 50);
        callers.acquire_many(Unproven, ApiServer, 50);
        callers.acquire_many(Unproven, Proxy, 50);
        let (calls, _) = callers.acquire_many(Granted, ApiServer, 1);
        assert_eq!(calls, 1, "{max_calls}");
    }
}

#[tokio::test]
async fn granted_newcomer_displaces_unproven_waiter_and_never_the_reverse() {
    use CredentialStanding::{Granted, Unproven};
    for max_waiting in 1..20 {
        let queue = queue(1, max_waiting);
        let mut callers = Callers::new(&queue);
        let _ = callers.acquire_many(Granted, ApiServer, 1);
        let half = max_waiting.div_ceil(2);
        let (_, waiting) = callers.acquire_many(Unproven, ApiServer, 50);
        assert_eq!(waiting, half, "{max_waiting}");
        let granted = CallerKind::new(Granted, ApiServer);
        for count in 1..=max_waiting - max_waiting / 2 {
            let _ = callers.acquire_many(Granted, ApiServer, 1);
            assert_eq!(queue.state().room.waiting_of(granted), count);
        }
        let _ = callers.acquire_many(Unproven, ApiServer, 50);
        let waiting = queue.state().room.waiting_of(granted);
        assert_eq!(waiting, max_waiting - max_waiting / 2, "{max_waiting}");
    }
}

#[tokio::test]
async fn granted_and_unproven_callers_take_turns() {
    let queue = queue(2, 100);
    let permits = [
        acquire(&queue, ApiServer, unproven("u"))
            .await
            .ok()
            .unwrap(),
        acquire(&queue, ApiServer, granted("g")).await.ok().unwrap(),
    ];
    let served = Served::default();
    let mut calls = Vec::new();
    for (waiting, (name, standing)) in [
        ("g1", CredentialStanding::Granted),
        ("g2", CredentialStanding::Granted),
        ("g3", CredentialStanding::Granted),
        ("u1", CredentialStanding::Unproven),
        ("u2", CredentialStanding::Unproven),
    ]
    .into_iter()
    .enumerate()
    {
        let (queue_, served) = (Arc::clone(&queue), Arc::clone(&served));
        calls.push(tokio::spawn(async move {
            let _permit = acquire(&queue_, ApiServer, caller(name, standing))
                .await
                .ok()
                .unwrap();
            served.lock().push(name);
            tokio::task::yield_now().await;
        }));
        wait_until_waiting(&queue, waiting + 1).await;
    }
    let [of_unproven, of_granted] = permits;
    drop(of_unproven);
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(*served.lock(), ["g1", "u1", "g2", "u2", "g3"]);
    drop(of_granted);
    assert_idle(&queue);
}

#[tokio::test]
async fn api_server_and_proxies_take_turns() {
    let queue = queue(2, 100);
    let permits = [
        acquire(&queue, Proxy, granted("p")).await.ok().unwrap(),
        acquire(&queue, ApiServer, granted("a")).await.ok().unwrap(),
    ];
    let served = Served::default();
    let mut calls = Vec::new();
    let names = ["p1", "p2", "p3"].map(|name| (Proxy, name));
    let names = names
        .into_iter()
        .chain([(ApiServer, "a1"), (ApiServer, "a2")]);
    for (waiting, (requester, name)) in names.enumerate() {
        calls.push(call_by(requester, &queue, name, &served));
        wait_until_waiting(&queue, waiting + 1).await;
    }
    let [of_proxy, of_api_server] = permits;
    drop(of_proxy);
    for call in calls {
        call.await.unwrap();
    }
    let expected = ["a1", "p1", "a2", "p2", "p3"];
    assert_eq!(*served.lock(), expected);
    drop(of_api_server);
    assert_idle(&queue);
}

#[tokio::test]
async fn proxy_takes_no_permit_of_api_server_half() {
    let queue = queue(2, 100);
    let of_proxy = acquire(&queue, Proxy, granted("p")).await.ok().unwrap();
    let of_api_server = acquire(&queue, ApiServer, granted("a")).await.ok().unwrap();
    let served = Served::default();
    let proxy = call_by(Proxy, &queue, "p1", &served);
    wait_until_waiting(&queue, 1).await;
    let api_server = call_by(ApiServer, &queue, "a1", &served);
    wait_until_waiting(&queue, 2).await;
    drop(of_api_server);
    api_server.await.unwrap();
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(*served.lock(), ["a1"]);
    drop(of_proxy);
    proxy.await.unwrap();
    assert_idle(&queue);
}

#[tokio::test]
async fn followers_make_room_like_waiters() {
    let room = FollowerRoom::new(4, Rng::with_seed(SEED));
    let mut flood: Vec<_> = (0..5)
        .map(|_| room.add_follower(ApiServer, unproven("flood")))
        .collect();
    let dropped = |followers: &mut [FollowerGuard]| {
        let dropped = followers.iter_mut().map(FollowerGuard::dropped);
        dropped.filter_map(FutureExt::now_or_never).count()
    };
    assert_eq!(dropped(&mut flood), 3);
    let mut other = room.add_follower(ApiServer, unproven("other"));
    assert!(other.dropped().now_or_never().is_none());
    let mut known: Vec<_> = (0..2)
        .map(|_| room.add_follower(ApiServer, granted("alice")))
        .collect();
    assert_eq!(dropped(&mut known), 0);
    assert_eq!(room.len(), 4);
    drop((flood, other, known));
    assert_eq!(room.len(), 0);
}
