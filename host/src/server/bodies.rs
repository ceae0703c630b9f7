//! Bodies of requests: how long they may be, how long they may take, and how many may be on their way.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Body;
use tokio::sync::Notify;

use crate::server::connections::{Busy, Origin, Standing};

/// A TokenReview is little more than its token.
const MAX_BYTES: usize = 64 * 1024;
/// Of so many, one is given up at a time: to choose is work.
const BATCH: usize = 64;

/// The bodies that are on their way.
///
/// Whose token it is cannot be told before a body is there, so none is turned away. When there are too many, one of a
/// stranger is given up, of the address with the most of them the one that has taken longest: API servers send theirs at
/// once.
pub(super) struct Bodies {
    limit: usize,
    deadline: Duration,
    coming: Mutex<Coming>,
}

#[derive(Default)]
struct Coming {
    arrivals: u64,
    by_arrival: BTreeMap<u64, Sender>,
}

/// Who sends a body.
struct Sender {
    origin: Origin,
    standing: Standing,
    /// Told when the body is given up.
    given_up: Arc<Notify>,
}

/// Why there is no body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoBody {
    /// It is longer than [`MAX_BYTES`].
    TooLarge,
    /// It has taken longer than it may.
    TooSlow,
    /// Its connection ended.
    BrokenOff,
    /// It was given up for others.
    GivenUp,
}

impl Bodies {
    /// No more than `limit` at once, and each within `deadline`.
    pub(super) fn new(limit: usize, deadline: Duration) -> Self {
        Self {
            limit,
            deadline,
            coming: Mutex::default(),
        }
    }

    /// All of `body`, which is part of the request of `busy`.
    pub(super) async fn read<B>(&self, body: B, busy: &Busy) -> Result<Vec<u8>, NoBody>
    where
        B: Body<Data = Bytes>,
    {
        if body.size_hint().lower() > MAX_BYTES as u64 {
            return Err(NoBody::TooLarge);
        }
        let turn = self.begin(busy.origin(), busy.standing());
        let read = tokio::select! {
            biased;
            read = tokio::time::timeout(self.deadline, collect(body)) => read,
            () = turn.given_up.notified() => return Err(NoBody::GivenUp),
        };
        read.unwrap_or(Err(NoBody::TooSlow))
    }

    fn begin(&self, origin: Origin, standing: Standing) -> Turn<'_> {
        let given_up = Arc::new(Notify::new());
        let mut coming = self.coming();
        if coming.by_arrival.len() >= self.limit {
            for number in coming.choose((self.limit / BATCH).max(1)) {
                if let Some(sender) = coming.by_arrival.remove(&number) {
                    sender.given_up.notify_one();
                }
            }
        }
        let number = coming.arrivals;
        coming.arrivals += 1;
        let sender = Sender {
            origin,
            standing,
            given_up: Arc::clone(&given_up),
        };
        coming.by_arrival.insert(number, sender);
        Turn {
            bodies: self,
            number,
            given_up,
        }
    }

    fn coming(&self) -> MutexGuard<'_, Coming> {
        self.coming.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Coming {
    /// Chooses `count` bodies to give up.
    fn choose(&self, count: usize) -> Vec<u64> {
        let Some(lowest) = self.by_arrival.values().map(|sender| sender.standing).min() else {
            return Vec::new();
        };
        let mut origins: HashMap<Origin, VecDeque<u64>> = HashMap::new();
        for (number, sender) in &self.by_arrival {
            if sender.standing == lowest {
                origins.entry(sender.origin).or_default().push_back(*number);
            }
        }
        let next = |_| {
            let most =
                |bodies: &&mut VecDeque<u64>| (bodies.len(), Reverse(bodies.front().copied()));
            origins.values_mut().max_by_key(most)?.pop_front()
        };
        (0..count).filter_map(next).collect()
    }
}

/// Reads all of `body`. Pieces are copied: one of a byte would keep the buffer in memory that it came in.
async fn collect<B: Body<Data = Bytes>>(body: B) -> Result<Vec<u8>, NoBody> {
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| NoBody::BrokenOff)?;
        // Trailers say nothing.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > MAX_BYTES {
            return Err(NoBody::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// A body that is on its way.
struct Turn<'a> {
    bodies: &'a Bodies,
    number: u64,
    given_up: Arc<Notify>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.bodies.coming().by_arrival.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;

    use super::*;

    fn coming(bodies: &[(u8, Standing)]) -> Coming {
        let mut coming = Coming::default();
        for (number, (host, standing)) in (0..).zip(bodies) {
            let sender = Sender {
                origin: Origin::of(Ipv4Addr::new(10, 0, 0, *host).into()),
                standing: *standing,
                given_up: Arc::default(),
            };
            coming.by_arrival.insert(number, sender);
        }
        coming
    }

    #[test]
    fn bodies_of_strangers_of_the_busiest_address_are_given_up_first() {
        use Standing::{Certified, Granted, Stranger};
        for (bodies, count, given_up) in [
            (vec![], 2, vec![]),
            (vec![(1, Stranger), (1, Stranger)], 1, vec![0]),
            (
                vec![(1, Stranger), (2, Stranger), (2, Stranger)],
                1,
                vec![1],
            ),
            (
                vec![(1, Stranger), (2, Stranger), (2, Stranger), (2, Stranger)],
                3,
                vec![1, 2, 0],
            ),
            (vec![(1, Granted), (1, Granted), (2, Stranger)], 1, vec![2]),
            (vec![(1, Certified), (2, Granted)], 1, vec![1]),
        ] {
            assert_eq!(coming(&bodies).choose(count), given_up);
        }
    }

    #[tokio::test]
    async fn body_is_collected_up_to_its_limit() {
        for (length, is_read) in [(0, true), (MAX_BYTES, true), (MAX_BYTES + 1, false)] {
            let read = collect(Full::new(Bytes::from(vec![b'x'; length]))).await;
            assert_eq!(read.is_ok_and(|read| read.len() == length), is_read);
        }
    }

    #[tokio::test]
    async fn pieces_of_a_body_do_not_keep_the_buffers_that_they_came_in() {
        let buffers: Vec<Bytes> = (0..100).map(|_| Bytes::from(vec![b'x'; 1_000])).collect();
        let pieces: Vec<Bytes> = buffers.iter().map(|buffer| buffer.slice(..1)).collect();
        let frames = pieces
            .into_iter()
            .map(|piece| Ok::<_, ()>(Frame::data(piece)));
        let read = collect(StreamBody::new(futures_util::stream::iter(frames))).await;
        assert_eq!(read, Ok(vec![b'x'; 100]));
        assert!(buffers.iter().all(Bytes::is_unique));
    }
}
