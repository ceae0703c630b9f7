//! The byte stream of a connection, with two features that hyper and h2 lack: a [budget](OverheadBudget) for traffic
//! that starts no request, and a shutdown that does not lose the last response.
//!
//! Closing a socket while the client still sends resets the connection, and a client discards unread data after a
//! reset. So a response to a request whose body is not read would rarely arrive. Instead, the server closes its sending
//! half first. It then reads and discards what the client still sends, within limits, until the client has read the
//! response and closes its half, too.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::server::connections::budget::OverheadBudget;
use crate::server::connections::frames::FrameCounter;

/// Time that a client has to close its half after the last response. Meanwhile, the connection counts as idle and may
/// be evicted.
pub(super) const LINGER_TIME: Duration = Duration::from_secs(5);
/// Number of bytes that a client may send after the last response.
pub(super) const LINGER_BYTES: usize = 4 * 1024 * 1024;
/// A read of fewer bytes is taken from the budget.
const SMALL_READ: usize = 256;
/// Number of bytes that are discarded at a time.
const PIECE: usize = 8 * 1024;

/// The byte stream that hyper reads and writes.
pub(super) struct GuardedStream<S> {
    stream: S,
    budget: Arc<OverheadBudget>,
    frames: FrameCounter,
    /// The state of discarding, after the last response was sent.
    lingering: Option<Lingering>,
}

struct Lingering {
    deadline: Pin<Box<Sleep>>,
    left: usize,
}

impl<S> GuardedStream<S> {
    pub(super) fn new(stream: S, budget: Arc<OverheadBudget>) -> Self {
        Self {
            stream,
            budget,
            frames: FrameCounter::new(),
            lingering: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for GuardedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let read = buffer.filled().get(before..).unwrap_or_default();
        let is_small = !read.is_empty() && read.len() < SMALL_READ;
        let cost = self.frames.count(read).saturating_add(is_small.into());
        Poll::Ready(self.budget.spend(cost).map_err(io::Error::other))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for GuardedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// Closes the sending half, and discards further input.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.lingering.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
        }
        let lingering = this.lingering.get_or_insert_with(|| Lingering {
            deadline: Box::pin(sleep(LINGER_TIME)),
            left: LINGER_BYTES,
        });
        if lingering.deadline.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        loop {
            let mut piece = [0; PIECE];
            let mut piece = ReadBuf::new(&mut piece);
            // An error, such as a reset, ends the discarding, too.
            let read = ready!(Pin::new(&mut this.stream).poll_read(context, &mut piece));
            let read = read.map_or(0, |()| piece.filled().len());
            lingering.left = lingering.left.saturating_sub(read);
            if read == 0 || lingering.left == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// A client that sends the same chunk forever. Each read returns one chunk.
    struct Endless(&'static [u8]);

    impl AsyncRead for Endless {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            buffer.put_slice(self.0);
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn small_reads_are_limited_in_every_protocol() {
        const READS: usize = 10_000;
        for (piece, is_limited) in [
            // Empty lines, and parts of a head or of a chunk, or any other bytes.
            (&b"\r\n"[..], true),
            (b"y", true),
            (b"1\r\nx\r\n", true),
            (&[b'x'; SMALL_READ - 1], true),
            (&[b'x'; SMALL_READ], false),
        ] {
            let budget = Arc::new(OverheadBudget::new(1));
            let mut stream = GuardedStream::new(Endless(piece), Arc::clone(&budget));
            let mut buffer = [0; 1_024];
            let mut reads = 0;
            while reads < READS && stream.read(&mut buffer).await.is_ok() {
                reads += 1;
            }
            assert_eq!(reads < READS, is_limited, "{piece:?}");
            assert_eq!(budget.is_exceeded(), is_limited, "{piece:?}");
        }
    }

    #[tokio::test]
    async fn requests_pay_for_small_reads() {
        let budget = Arc::new(OverheadBudget::new(1));
        let mut stream =
            GuardedStream::new(Endless(b"GET / HTTP/1.1\r\n\r\n"), Arc::clone(&budget));
        let mut buffer = [0; 1_024];
        for _ in 0..10_000 {
            assert!(stream.read(&mut buffer).await.unwrap() > 0);
            budget.refund();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_waits_for_client_within_limits() {
        use tokio::io::{AsyncWriteExt as _, duplex};

        // The client closes its half.
        let (server, mut client) = duplex(64 * 1024);
        let mut stream = GuardedStream::new(server, Arc::new(OverheadBudget::new(1)));
        let closing = tokio::spawn(async move { stream.shutdown().await });
        client.write_all(&vec![b'x'; 1 << 20]).await.unwrap();
        assert!(!closing.is_finished());
        drop(client);
        closing.await.unwrap().unwrap();
        // The client does not close its half.
        let (server, client) = duplex(64 * 1024);
        let mut stream = GuardedStream::new(server, Arc::new(OverheadBudget::new(1)));
        let started = tokio::time::Instant::now();
        stream.shutdown().await.unwrap();
        assert_eq!(started.elapsed().as_secs(), LINGER_TIME.as_secs());
        drop(client);
        // The client keeps sending.
        let (server, mut client) = duplex(64 * 1024);
        let mut stream = GuardedStream::new(server, Arc::new(OverheadBudget::new(1)));
        let closing = tokio::spawn(async move { stream.shutdown().await });
        let sending = client.write_all(&vec![b'x'; 2 * LINGER_BYTES]).await;
        assert!(sending.is_err());
        closing.await.unwrap().unwrap();
    }
}
