//! Bodies of requests: how long they may be, how long they may take, and how many may be on their way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body;
use tokio::sync::Notify;

/// A TokenReview is little more than its token.
const MAX_BYTES: usize = 64 * 1024;

/// The bodies that are on their way.
///
/// Whose token it is cannot be told before a body is there, so none is turned away. When there are too many, the one
/// that has taken longest is given up: API servers send theirs at once.
pub(super) struct Bodies {
    limit: usize,
    deadline: Duration,
    coming: Mutex<Coming>,
}

#[derive(Default)]
struct Coming {
    arrivals: u64,
    /// By arrival; each is told when it is given up.
    by_arrival: BTreeMap<u64, Arc<Notify>>,
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

    /// All of `body`.
    pub(super) async fn read<B>(&self, body: B) -> Result<Bytes, NoBody>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if body.size_hint().lower() > MAX_BYTES as u64 {
            return Err(NoBody::TooLarge);
        }
        let turn = self.begin();
        let reading = Limited::new(body, MAX_BYTES).collect();
        let read = tokio::select! {
            biased;
            read = tokio::time::timeout(self.deadline, reading) => read,
            () = turn.given_up.notified() => return Err(NoBody::GivenUp),
        };
        match read {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(NoBody::TooLarge),
            Ok(Err(_)) => Err(NoBody::BrokenOff),
            Err(_) => Err(NoBody::TooSlow),
        }
    }

    fn begin(&self) -> Turn<'_> {
        let given_up = Arc::new(Notify::new());
        let mut coming = self.coming();
        if coming.by_arrival.len() >= self.limit
            && let Some((_, oldest)) = coming.by_arrival.pop_first()
        {
            oldest.notify_one();
        }
        let number = coming.arrivals;
        coming.arrivals += 1;
        coming.by_arrival.insert(number, Arc::clone(&given_up));
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
