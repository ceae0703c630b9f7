//! Connections: accepted, bounded in number and time, finished before the program ends.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// A TLS handshake takes two round trips.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// How long the headers of a request may take.
const HEADER_DEADLINE: Duration = Duration::from_secs(30);
/// A connection without a request for so long is closed. API servers keep theirs busier, and make another at once.
const IDLE_DEADLINE: Duration = Duration::from_secs(120);
/// How long a connection that is being closed may take for what it has begun.
const CLOSE_DEADLINE: Duration = Duration::from_secs(15);
/// When accepting fails (no descriptors left), the next try may fare better.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Answers requests.
pub(super) trait Respond: Send + Sync + 'static {
    /// The answer to `request`.
    fn respond(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send;
}

/// A listener and all of its connections.
pub(super) struct Connections {
    listener: TcpListener,
    /// None is plain HTTP.
    tls: Option<TlsAcceptor>,
    places: Arc<Semaphore>,
    open: JoinSet<()>,
    stopping: watch::Sender<bool>,
}

impl Connections {
    /// No more than `limit` connections at once; further ones wait to be accepted.
    pub(super) fn new(listener: TcpListener, tls: Option<TlsAcceptor>, limit: usize) -> Self {
        Self {
            listener,
            tls,
            places: Arc::new(Semaphore::new(limit)),
            open: JoinSet::new(),
            stopping: watch::Sender::new(false),
        }
    }

    /// Accepts connections for ever; each is served by a task of its own.
    pub(super) async fn serve(&mut self, respond: Arc<impl Respond>) {
        let mut is_failing = false;
        loop {
            let (place, accepted) = tokio::select! {
                accepted = accept(&self.places, &self.listener) => accepted,
                Some(_) = self.open.join_next() => continue,
            };
            match accepted {
                Ok(stream) => {
                    if is_failing {
                        tracing::info!("accepting connections again");
                        is_failing = false;
                    }
                    let connection = Connection {
                        tls: self.tls.clone(),
                        stopping: self.stopping.subscribe(),
                        activity: Arc::default(),
                    };
                    let respond = Arc::clone(&respond);
                    self.open.spawn(async move {
                        if let Err(reason) = connection.serve(stream, respond).await {
                            tracing::debug!("a connection ended: {reason}");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    if !is_failing {
                        tracing::error!("cannot accept connections: {error}");
                        is_failing = true;
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Asks every connection to end after what it is doing, and waits until all have.
    pub(super) async fn finish(mut self) {
        drop(self.listener);
        self.stopping.send_replace(true);
        while self.open.join_next().await.is_some() {}
    }
}

async fn accept(
    places: &Arc<Semaphore>,
    listener: &TcpListener,
) -> (Option<OwnedSemaphorePermit>, std::io::Result<TcpStream>) {
    // The semaphore is never closed, so there is always a permit.
    let place = Arc::clone(places).acquire_owned().await.ok();
    (place, listener.accept().await.map(|(stream, _)| stream))
}

struct Connection {
    tls: Option<TlsAcceptor>,
    stopping: watch::Receiver<bool>,
    activity: Arc<Activity>,
}

impl Connection {
    async fn serve(mut self, stream: TcpStream, respond: Arc<impl Respond>) -> Result<(), Error> {
        stream.set_nodelay(true)?;
        let Some(tls) = self.tls.take() else {
            return self.serve_http(TokioIo::new(stream), respond).await;
        };
        let handshake = tokio::time::timeout(HANDSHAKE_DEADLINE, tls.accept(stream));
        let stream = tokio::select! {
            stream = handshake => stream??,
            _ = self.stopping.wait_for(|stopping| *stopping) => return Ok(()),
        };
        self.serve_http(TokioIo::new(stream), respond).await
    }

    async fn serve_http<S>(mut self, stream: S, respond: Arc<impl Respond>) -> Result<(), Error>
    where
        S: Read + Write + Unpin + Send + 'static,
    {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_DEADLINE);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(HEADER_DEADLINE);
        let activity = Arc::clone(&self.activity);
        let service = service_fn(move |request: Request<Incoming>| {
            let respond = Arc::clone(&respond);
            let busy = activity.begin();
            let is_head = request.method() == Method::HEAD;
            async move {
                let mut response = respond.respond(request).await;
                if is_head {
                    // hyper leaves it out of HTTP/1 alone.
                    *response.body_mut() = Full::default();
                }
                drop(busy);
                Ok::<_, std::convert::Infallible>(response)
            }
        });
        let connection = builder.serve_connection(stream, service);
        tokio::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return ended,
            _ = self.stopping.wait_for(|stopping| *stopping) => {}
            () = self.activity.idle() => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::time::timeout(CLOSE_DEADLINE, connection).await?
    }
}

/// What a connection is doing. hyper has no deadline for a client that says nothing at all, nor for one that does not
/// read its answers.
#[derive(Default)]
struct Activity {
    requests: AtomicUsize,
    changed: Notify,
}

impl Activity {
    /// A request begins; it ends when the guard is dropped.
    fn begin(self: &Arc<Self>) -> Busy {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_one();
        Busy(Arc::clone(self))
    }

    /// Waits until there has been no request for [`IDLE_DEADLINE`].
    async fn idle(&self) {
        loop {
            let quiet = tokio::time::timeout(IDLE_DEADLINE, self.changed.notified()).await;
            if quiet.is_err() && self.requests.load(Ordering::Relaxed) == 0 {
                return;
            }
        }
    }
}

struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    struct Ok;

    impl Respond for Ok {
        async fn respond(&self, _: Request<Incoming>) -> Response<Full<Bytes>> {
            Response::new(Full::from("ok"))
        }
    }

    /// Longer than any deadline above. Time is the runtime's: it jumps when there is nothing else to wait for.
    const FOREVER: Duration = Duration::from_secs(3_600);

    async fn start(limit: usize) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut connections = Connections::new(listener, None, limit);
        tokio::spawn(async move { connections.serve(Arc::new(Ok)).await });
        address
    }

    async fn everything_until_it_closes(mut stream: TcpStream) -> String {
        let mut answer = Vec::new();
        // A reset ends a connection as well as a close.
        let _ended = tokio::time::timeout(FOREVER, stream.read_to_end(&mut answer))
            .await
            .expect("the connection is closed");
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_asks_nothing_is_closed() {
        let address = start(8).await;
        for said in [
            "",
            "P",
            "GET /healthz HTTP/1.1\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        ] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(said.as_bytes()).await.unwrap();
            let answer = everything_until_it_closes(stream).await;
            assert!(!answer.contains(" 200 "), "{said:?}: {answer}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_fit_waits_for_a_place() {
        let address = start(1).await;
        let idle = TcpStream::connect(address).await.unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        let request = "GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        second.write_all(request.as_bytes()).await.unwrap();
        let answer = everything_until_it_closes(second).await;
        assert!(answer.contains(" 200 "), "{answer}");
        assert_eq!(everything_until_it_closes(idle).await, "");
    }
}
