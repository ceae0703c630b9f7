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
