//! The body of a request, and the handling of the unread rest of a body.
//!
//! In HTTP/1.1, an unread rest ends the connection after the response (see [`guarded_stream`](super::guarded_stream)).
//! A client that waits for `100 Continue` does not get it. In HTTP/2, the connection stays open, but a stream that ends
//! before its client has sent everything is reset, and clients report the reset instead of the response. So the rest is
//! read and discarded, within limits, while the response is sent.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::{Request, StatusCode, Version};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Maximum time of discarding the rest of a body. Meanwhile, the connection counts as idle and may be evicted.
const DISCARD_TIME: Duration = Duration::from_secs(5);
/// Maximum number of bytes to discard of one body.
const DISCARD_BYTES: usize = 4 * 1024 * 1024;
/// Maximum number of simultaneous discards on one port. The streams of further bodies are reset.
const MAX_DISCARDS: usize = 256;
/// Number of discards that one connection may always have. It gets more of them only while less than half of all are in
/// use, so that one client does not block others.
const MAX_CONNECTION_DISCARDS: usize = 16;
/// Length above which a body is long: hyper has probably not received all of its rest.
const LONG_BODY: u64 = 8 * 1024;

/// The limits on discards of unread bodies: those of a port, and those of one connection.
#[derive(Clone)]
pub(super) struct DiscardLimits {
    on_port: Arc<Semaphore>,
    on_connection: Arc<Semaphore>,
}

/// A permit to discard the rest of one body.
struct DiscardPermit {
    _on_port: OwnedSemaphorePermit,
    /// `None` for a discard beyond the connection's own share.
    _on_connection: Option<OwnedSemaphorePermit>,
}

impl DiscardLimits {
    pub(super) fn new() -> Self {
        Self {
            on_port: Arc::new(Semaphore::new(MAX_DISCARDS)),
            on_connection: Arc::new(Semaphore::new(MAX_CONNECTION_DISCARDS)),
        }
    }

    /// Returns the limits for a new connection of the same port.
    pub(super) fn for_connection(&self) -> Self {
        Self {
            on_port: Arc::clone(&self.on_port),
            on_connection: Arc::new(Semaphore::new(MAX_CONNECTION_DISCARDS)),
        }
    }

    /// Returns a permit, or `None` if too many are in use.
    fn try_acquire(&self) -> Option<DiscardPermit> {
        let on_connection = Arc::clone(&self.on_connection).try_acquire_owned().ok();
        let has_room = self.on_port.available_permits() > MAX_DISCARDS / 2;
        if on_connection.is_none() && !has_room {
            return None;
        }
        let on_port = Arc::clone(&self.on_port).try_acquire_owned().ok()?;
        Some(DiscardPermit {
            _on_port: on_port,
            _on_connection: on_connection,
        })
    }
}

/// The body of a request.
pub(in crate::server) struct RequestBody {
    /// The rest of the body; `None` after its end.
    incoming: Option<Incoming>,
    version: Version,
    is_left: Arc<AtomicBool>,
    discards: DiscardLimits,
}

/// Records whether a body was dropped before its end.
pub(super) struct Leftover {
    is_left: Arc<AtomicBool>,
    is_long: bool,
}

impl RequestBody {
    /// Wraps the body of `request`, and returns the record of its rest.
    pub(super) fn wrap(
        request: Request<Incoming>,
        discards: &DiscardLimits,
    ) -> (Request<Self>, Leftover) {
        let is_left = Arc::new(AtomicBool::new(false));
        let length = request.body().size_hint().upper();
        let leftover = Leftover {
            is_left: Arc::clone(&is_left),
            is_long: length.is_none_or(|length| length > LONG_BODY),
        };
        let version = request.version();
        let request = request.map(|incoming| Self {
            incoming: Some(incoming),
            version,
            is_left,
            discards: discards.clone(),
        });
        (request, leftover)
    }
}

impl Leftover {
    /// Returns whether an HTTP/1 connection ends after a response with `status`: the body was not read to its end, and
    /// is long or belongs to a refused request. hyper discards the rest of other bodies and keeps the connection.
    pub(super) fn ends_connection(&self, status: StatusCode) -> bool {
        let is_refused = status.is_client_error() || status.is_server_error();
        self.is_left.load(Ordering::Relaxed) && (self.is_long || is_refused)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(incoming).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.incoming = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.incoming.as_ref().map(Incoming::size_hint);
        hint.unwrap_or_else(|| SizeHint::with_exact(0))
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let Some(incoming) = self.incoming.take().filter(|body| !body.is_end_stream()) else {
            return;
        };
        self.is_left.store(true, Ordering::Relaxed);
        if self.version != Version::HTTP_2 {
            return;
        }
        if let (Some(permit), Ok(runtime)) = (self.discards.try_acquire(), Handle::try_current()) {
            runtime.spawn(discard(incoming, permit));
        }
    }
}

/// Reads the rest of `body`. Beyond the limits, it ends the stream.
async fn discard(mut body: Incoming, _turn: DiscardPermit) {
    let read = async {
        let mut left = DISCARD_BYTES;
        while left > 0
            && let Some(Ok(frame)) = body.frame().await
        {
            let length = frame.data_ref().map_or(0, Bytes::len);
            left = left.saturating_sub(length);
        }
    };
    // A timeout needs no handling, because the rest is not used.
    let _ = tokio::time::timeout(DISCARD_TIME, read).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_connection_leaves_discards_for_others() {
        let port = DiscardLimits::new();
        let (one, other) = (port.for_connection(), port.for_connection());
        let turns: Vec<DiscardPermit> = (0..MAX_DISCARDS)
            .filter_map(|_| one.try_acquire())
            .collect();
        assert_eq!(turns.len(), MAX_DISCARDS / 2);
        assert!(one.try_acquire().is_none());
        let others: Vec<DiscardPermit> = (0..MAX_DISCARDS)
            .filter_map(|_| other.try_acquire())
            .collect();
        assert_eq!(others.len(), MAX_CONNECTION_DISCARDS);
        drop(turns);
        assert!(one.try_acquire().is_some());
    }

    #[test]
    fn discards_of_a_port_are_limited() {
        let port = DiscardLimits::new();
        let turns: Vec<DiscardPermit> = (0..MAX_DISCARDS)
            .filter_map(|_| port.for_connection().try_acquire())
            .collect();
        assert_eq!(turns.len(), MAX_DISCARDS);
        assert!(port.for_connection().try_acquire().is_none());
    }
}
