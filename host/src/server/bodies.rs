//! Request bodies, with limits on their size, time and number.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Body;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::server::connections::{ClientStanding, Origin, RequestGuard};

/// Maximum size of a body. A TokenReview is little more than its token.
const MAX_BYTES: usize = 64 * 1024;
/// One of this many bodies is evicted at a time, because choosing bodies is expensive.
const BATCH: usize = 64;

/// Reads request bodies.
///
/// The owner of a token is unknown until the body has arrived, so no body is refused in advance. If there are too many,
/// a body of a stranger is evicted: the oldest one of the address with the most bodies. API servers send their bodies
/// without delay, so evictions rarely affect them.
pub(super) struct BodyReader {
    limit: usize,
    deadline: Duration,
    in_flight: Mutex<InFlightBodies>,
}

#[derive(Default)]
struct InFlightBodies {
    arrivals: u64,
    by_arrival: BTreeMap<u64, BodySender>,
}

/// The sender of a body.
struct BodySender {
    origin: Origin,
    standing: ClientStanding,
    /// Notified when the body is evicted.
    evicted: Arc<Notify>,
}

/// Why a body could not be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// The body is longer than [`MAX_BYTES`].
    TooLarge,
    /// The body took longer than the deadline.
    TooSlow,
    /// The connection ended.
    BrokenOff,
    /// The body was evicted to make room for others.
    Evicted,
}

impl BodyReader {
    /// Builds a reader of at most `limit` simultaneous bodies, each within `deadline`.
    pub(super) fn new(limit: usize, deadline: Duration) -> Self {
        Self {
            limit,
            deadline,
            in_flight: Mutex::default(),
        }
    }

    /// Reads all of `body`, which belongs to the request of `guard`.
    pub(super) async fn read<B>(&self, body: B, guard: &RequestGuard) -> Result<Vec<u8>, BodyError>
    where
        B: Body<Data = Bytes>,
    {
        if body.size_hint().lower() > MAX_BYTES as u64 {
            return Err(BodyError::TooLarge);
        }
        let slot = self.begin(guard.origin(), guard.standing());
        let read = tokio::select! {
            biased;
            read = tokio::time::timeout(self.deadline, collect(body)) => read,
            () = slot.evicted.notified() => return Err(BodyError::Evicted),
        };
        read.unwrap_or(Err(BodyError::TooSlow))
    }

    fn begin(&self, origin: Origin, standing: ClientStanding) -> BodySlot<'_> {
        let evicted = Arc::new(Notify::new());
        let mut in_flight = self.in_flight.lock();
        if in_flight.by_arrival.len() >= self.limit {
            for number in in_flight.choose((self.limit / BATCH).max(1)) {
                if let Some(sender) = in_flight.by_arrival.remove(&number) {
                    sender.evicted.notify_one();
                }
            }
        }
        let number = in_flight.arrivals;
        in_flight.arrivals += 1;
        let sender = BodySender {
            origin,
            standing,
            evicted: Arc::clone(&evicted),
        };
        in_flight.by_arrival.insert(number, sender);
        BodySlot {
            bodies: self,
            number,
            evicted,
        }
    }
}

impl InFlightBodies {
    /// Chooses `count` bodies to evict.
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

/// Reads all of `body`. Chunks are copied, because a chunk of one byte would keep its whole receive buffer in memory.
async fn collect<B: Body<Data = Bytes>>(body: B) -> Result<Vec<u8>, BodyError> {
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| BodyError::BrokenOff)?;
        // Trailers are ignored.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > MAX_BYTES {
            return Err(BodyError::TooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// The slot of a body that is being read.
struct BodySlot<'a> {
    bodies: &'a BodyReader,
    number: u64,
    evicted: Arc<Notify>,
}

impl Drop for BodySlot<'_> {
    fn drop(&mut self) {
        self.bodies.in_flight.lock().by_arrival.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;

    use super::*;

    fn in_flight(bodies: &[(u8, ClientStanding)]) -> InFlightBodies {
        let mut in_flight = InFlightBodies::default();
        for (number, (host, standing)) in (0..).zip(bodies) {
            let sender = BodySender {
                origin: Origin::from_address(Ipv4Addr::new(10, 0, 0, *host).into()),
                standing: *standing,
                evicted: Arc::default(),
            };
            in_flight.by_arrival.insert(number, sender);
        }
        in_flight
    }

    #[test]
    fn bodies_of_strangers_of_busiest_address_are_evicted_first() {
        use ClientStanding::{Certified, Granted, Stranger};
        for (bodies, count, evicted) in [
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
            assert_eq!(in_flight(&bodies).choose(count), evicted);
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
    async fn body_chunks_do_not_retain_buffers() {
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
