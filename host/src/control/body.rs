//! A response body that is sent while it is written.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::mpsc;

/// How many chunks may wait for a client that reads slowly.
const MAX_PENDING_CHUNKS: usize = 4;

enum Chunk {
    Data(Bytes),
    /// The end of the body. A body without this chunk is truncated.
    End,
}

/// A writer that sends each write as a chunk.
pub(super) struct ChunkWriter<'a>(&'a mpsc::Sender<Chunk>);

impl io::Write for ChunkWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let chunk = Chunk::Data(Bytes::copy_from_slice(bytes));
        self.0
            .blocking_send(chunk)
            .map_err(|_| io::Error::from(ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A chunked response body, which is sent while it is written.
pub(super) struct ChunkedBody {
    receiver: mpsc::Receiver<Chunk>,
    is_done: bool,
}

impl ChunkedBody {
    /// Starts `write`, which writes the body, on a thread. If `write` fails, the body is truncated. Must be called
    /// within a runtime.
    pub(super) fn written_by(
        write: impl FnOnce(ChunkWriter<'_>) -> io::Result<()> + Send + 'static,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(MAX_PENDING_CHUNKS);
        tokio::task::spawn_blocking(move || {
            if write(ChunkWriter(&sender)).is_ok() {
                // Sending fails only if the connection is closed.
                let _ = sender.blocking_send(Chunk::End);
            }
        });
        Self {
            receiver,
            is_done: false,
        }
    }
}

impl Body for ChunkedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.is_done {
            return Poll::Ready(None);
        }
        self.receiver.poll_recv(context).map(|chunk| match chunk {
            Some(Chunk::Data(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Chunk::End) => {
                self.is_done = true;
                None
            }
            None => {
                self.is_done = true;
                Some(Err(ErrorKind::UnexpectedEof.into()))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn truncated_response_is_an_error() {
        let (sender, receiver) = mpsc::channel(MAX_PENDING_CHUNKS);
        sender.send(Chunk::Data("{".into())).await.ok().unwrap();
        drop(sender);
        let body = ChunkedBody {
            receiver,
            is_done: false,
        };
        let collected = http_body_util::BodyExt::collect(body).await;
        assert_eq!(collected.err().unwrap().kind(), ErrorKind::UnexpectedEof);
    }
}
