//! Bodies of replies, correct and faulty.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// The body that follows the head of a reply.
#[derive(Debug)]
pub(crate) enum ReplyBody {
    /// These bytes, then a correct end.
    Whole(Bytes),
    /// These bytes, then the connection closes.
    ThenClose(Bytes),
    /// These bytes, then nothing while the connection stays open.
    ThenNothing(Bytes),
    /// These bytes, repeated for as long as the client reads.
    Endless(Bytes),
    /// All bytes were sent.
    Done,
    /// All bytes were handed to hyper, which writes them to the connection before it polls again.
    Flush,
    /// All bytes were sent, and the connection closes.
    Close,
    /// All bytes were sent, and the connection stays open.
    Nothing,
}

/// The error that makes hyper close the connection.
#[derive(Debug, thiserror::Error)]
#[error("closed on purpose")]
pub(crate) struct Closed;

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Closed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Closed>>> {
        let (bytes, next) = match std::mem::replace(&mut *self, Self::Done) {
            Self::Whole(bytes) => (bytes, Self::Done),
            Self::ThenClose(bytes) => (bytes, Self::Flush),
            Self::ThenNothing(bytes) => (bytes, Self::Nothing),
            Self::Endless(bytes) => (bytes.clone(), Self::Endless(bytes)),
            Self::Done => return Poll::Ready(None),
            Self::Flush => {
                *self = Self::Close;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Self::Close => return Poll::Ready(Some(Err(Closed))),
            Self::Nothing => {
                *self = Self::Nothing;
                return Poll::Pending;
            }
        };
        *self = next;
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            _ => SizeHint::default(),
        }
    }
}
