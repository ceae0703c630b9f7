//! Replies that are corrupted on the wire, in ways that no HTTP library produces.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// The pause between two bytes of a slow reply.
const DRIP: Duration = Duration::from_millis(500);
const HINTS: &[u8] = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n";

/// A corruption of the correct reply between the HTTP library and the client. The connection closes afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// The connection is reset before the first byte.
    ResetBeforeHead,
    /// The head arrives one byte at a time.
    SlowHead,
    /// An endless head.
    EndlessHead,
    /// The greeting of another protocol, then nothing.
    NoHttp,
    /// A correct reply in HTTP/1.0, whose body ends with the connection.
    Http10,
    /// The correct reply after a `1xx` reply, which every client has to ignore.
    EarlyHints,
    /// An endless sequence of `1xx` replies.
    EndlessHints,
    /// A switch to another protocol, which the client did not request.
    SwitchingProtocols,
    /// Two contradictory `Content-Length` headers.
    TwoLengths,
    /// The connection is reset in the middle of the body.
    ResetInBody,
    /// The body arrives one byte at a time.
    SlowBody,
    /// The length of a chunk is not a number.
    BrokenChunk,
    /// An endless body without a length.
    EndlessWithoutLength,
    /// The correct reply, then the connection closes without notice, as an idle connection does.
    CloseAfterwards,
}

impl Wire {
    /// Sends the corrupted form of `reply`.
    async fn play(self, reply: Vec<u8>, mut stream: impl ResettableStream) -> io::Result<()> {
        let (head, body) = parts(&reply);
        match self {
            Self::ResetBeforeHead => stream.reset_at_end()?,
            Self::SlowHead => drip(&mut stream, &reply).await?,
            Self::EndlessHead => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n").await?;
                let line = format!("x-padding: {}\r\n", "a".repeat(1_000));
                repeat(&mut stream, line.as_bytes()).await?;
            }
            Self::NoHttp => {
                stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await?;
                until_closed(&mut stream).await?;
            }
            Self::Http10 => {
                let head = without_length(head).replacen("HTTP/1.1", "HTTP/1.0", 1);
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(body).await?;
            }
            Self::EarlyHints => {
                stream.write_all(HINTS).await?;
                stream.write_all(&reply).await?;
            }
            Self::EndlessHints => repeat(&mut stream, HINTS).await?,
            Self::SwitchingProtocols => {
                let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n";
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&reply).await?;
                until_closed(&mut stream).await?;
            }
            Self::TwoLengths => {
                let head = head.replacen("\r\n", "\r\ncontent-length: 2\r\n", 1);
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(body).await?;
                until_closed(&mut stream).await?;
            }
            Self::ResetInBody => {
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(&body[..body.len() / 2]).await?;
                stream.flush().await?;
                stream.reset_at_end()?;
            }
            Self::SlowBody => {
                stream.write_all(head.as_bytes()).await?;
                drip(&mut stream, body).await?;
            }
            Self::BrokenChunk => {
                let head = chunked(head);
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(b"zz\r\n").await?;
                stream.write_all(body).await?;
                until_closed(&mut stream).await?;
            }
            Self::EndlessWithoutLength => {
                stream.write_all(without_length(head).as_bytes()).await?;
                repeat(&mut stream, &[b' '; 16 * 1024]).await?;
            }
            Self::CloseAfterwards => stream.write_all(&reply).await?,
        }
        stream.flush().await?;
        match self {
            Self::ResetBeforeHead | Self::ResetInBody => Ok(()),
            _ => stream.shutdown().await,
        }
    }
}

/// Splits `reply` into the head, including the empty line, and the body.
fn parts(reply: &[u8]) -> (&str, &[u8]) {
    let end = head_length(reply).unwrap_or(reply.len());
    let (head, body) = reply.split_at(end);
    (std::str::from_utf8(head).unwrap_or_default(), body)
}

fn head_length(reply: &[u8]) -> Option<usize> {
    let end = b"\r\n\r\n";
    let start = reply.windows(end.len()).position(|window| window == end)?;
    Some(start + end.len())
}

fn is_length(line: &str) -> bool {
    line.starts_with("content-length:")
}

fn is_whole(reply: &[u8]) -> bool {
    let Some(end) = head_length(reply) else {
        return false;
    };
    let (head, body) = parts(reply);
    let length = head.lines().find(|line| is_length(line));
    let length = length.and_then(|line| line.split_once(": ")?.1.parse::<usize>().ok());
    length.is_none_or(|length| body.len() >= length) && end > 0
}

fn without_length(head: &str) -> String {
    let lines = head.split_inclusive("\r\n");
    lines.filter(|line| !is_length(line)).collect()
}

fn chunked(head: &str) -> String {
    without_length(head).replacen("\r\n", "\r\ntransfer-encoding: chunked\r\n", 1)
}

async fn drip(stream: &mut impl ResettableStream, bytes: &[u8]) -> io::Result<()> {
    for byte in bytes.chunks(1) {
        stream.write_all(byte).await?;
        stream.flush().await?;
        tokio::time::sleep(DRIP).await;
    }
    Ok(())
}

async fn repeat(stream: &mut impl ResettableStream, bytes: &[u8]) -> io::Result<()> {
    loop {
        stream.write_all(bytes).await?;
    }
}

async fn until_closed(stream: &mut impl ResettableStream) -> io::Result<()> {
    stream.flush().await?;
    let mut ignored = [0; 256];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}

/// A connection from the client.
pub(super) trait ResettableStream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Makes the connection end with a reset, which discards unsent data.
    fn reset_at_end(&self) -> io::Result<()>;
}

impl ResettableStream for TcpStream {
    fn reset_at_end(&self) -> io::Result<()> {
        self.set_zero_linger()
    }
}

impl ResettableStream for TlsStream<TcpStream> {
    fn reset_at_end(&self) -> io::Result<()> {
        self.get_ref().0.set_zero_linger()
    }
}

/// A slot through which the handler of a request sets the corruption of its reply.
#[derive(Clone, Default)]
pub(super) struct Slot(Arc<Mutex<Option<Wire>>>);

impl Slot {
    pub(super) fn set_fault(&self, fault: Wire) {
        *self.0.lock() = Some(fault);
    }

    fn current_fault(&self) -> Option<Wire> {
        *self.0.lock()
    }
}

/// A connection whose next reply may be corrupted.
pub(super) struct Spoilable<S> {
    state: StreamState<S>,
    slot: Slot,
    /// The bytes so far of a reply that will be corrupted.
    reply: Vec<u8>,
}

enum StreamState<S> {
    Passing(S),
    Playing(Pin<Box<dyn Future<Output = io::Result<()>> + Send>>),
    Over,
}

impl<S: ResettableStream> Spoilable<S> {
    pub(super) fn new(stream: S, slot: Slot) -> Self {
        Self {
            state: StreamState::Passing(stream),
            slot,
            reply: Vec::new(),
        }
    }

    /// Starts to send the corrupted reply when the correct one is complete.
    fn start(&mut self) {
        let Some(fault) = self.slot.current_fault().filter(|_| is_whole(&self.reply)) else {
            return;
        };
        self.state = match std::mem::replace(&mut self.state, StreamState::Over) {
            StreamState::Passing(stream) => {
                let reply = std::mem::take(&mut self.reply);
                StreamState::Playing(Box::pin(fault.play(reply, stream)))
            }
            other => other,
        };
    }

    fn poll_play(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let StreamState::Playing(play) = &mut self.state {
            // Errors do not matter: the client may disconnect at any time.
            let _ended = std::task::ready!(play.as_mut().poll(context));
            self.state = StreamState::Over;
        }
        Poll::Ready(())
    }
}

impl<S: ResettableStream> AsyncRead for Spoilable<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.state {
            StreamState::Passing(stream) => Pin::new(stream).poll_read(context, buffer),
            StreamState::Playing(_) | StreamState::Over => self.poll_play(context).map(Ok),
        }
    }
}

impl<S: ResettableStream> AsyncWrite for Spoilable<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let is_corrupted = self.slot.current_fault().is_some();
        match &mut self.state {
            StreamState::Passing(stream) if !is_corrupted => {
                Pin::new(stream).poll_write(context, bytes)
            }
            StreamState::Passing(_) => {
                self.reply.extend_from_slice(bytes);
                Poll::Ready(Ok(bytes.len()))
            }
            StreamState::Playing(_) | StreamState::Over => {
                Poll::Ready(Err(ErrorKind::BrokenPipe.into()))
            }
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.start();
        match &mut self.state {
            StreamState::Passing(stream) => Pin::new(stream).poll_flush(context),
            StreamState::Playing(_) | StreamState::Over => {
                let closed = Err(ErrorKind::BrokenPipe.into());
                self.poll_play(context).map(|()| closed)
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.state {
            StreamState::Passing(stream) => Pin::new(stream).poll_shutdown(context),
            StreamState::Playing(_) | StreamState::Over => self.poll_play(context).map(Ok),
        }
    }
}
