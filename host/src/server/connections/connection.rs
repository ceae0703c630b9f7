//! One connection: TLS, HTTP/1.1 or HTTP/2, and what neither lets a client do.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::rt::{Read, Write};
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use prometheus::IntCounter;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::server::certificates::{Admission, Tls};
use crate::server::connections::activity::Activity;
use crate::server::connections::eviction::Standing;
use crate::server::connections::registry::ConnectionSlot;
use crate::server::connections::{Bounds, Respond};
use crate::server::status;

/// A TLS handshake takes two round trips.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// How long a connection that is being closed may take for the rest of an answer, or to say that it has understood.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// The head of a request in HTTP/1.1, and a piece of its body.
const MAX_HEADER_BYTES: usize = 16 * 1024;
/// The same in HTTP/2, as it counts them.
const MAX_HEADER_LIST: u32 = 16 * 1024;
const MAX_FRAME: u32 = 16 * 1024;
/// A body is no longer.
const STREAM_WINDOW: u32 = 64 * 1024;
/// What one connection may send without anybody reading it.
const CONNECTION_WINDOW: u32 = 64 * 1024;
/// What of an answer is kept for a client that does not read.
const MAX_SEND_BUFFER: usize = 64 * 1024;
/// How many requests may be taken back before anybody has looked at them; one more ends the connection.
const MAX_PENDING_RESETS: usize = 100;
/// How many requests may be refused for what is wrong with their frames; one more ends the connection.
const MAX_ERROR_RESETS: usize = 1_024;
/// A client of HTTP/2 that is silent is asked so often whether it is there, and has as long to say so.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// As for what fails inside of a decision.
const PANICKED: &str = "[ack-ram-authenticator] the authenticator failed; its log says more";

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A connection that was accepted.
pub(super) struct Connection {
    pub(super) tls: Option<Tls>,
    pub(super) bounds: Bounds,
    pub(super) panics: IntCounter,
    pub(super) stopping: watch::Receiver<bool>,
    pub(super) place: ConnectionSlot,
}

impl Connection {
    pub(super) async fn serve(
        mut self,
        stream: TcpStream,
        respond: Arc<impl Respond>,
    ) -> Result<(), Error> {
        stream.set_nodelay(true)?;
        let Some(tls) = self.tls.take() else {
            return self.serve_http(TokioIo::new(stream), None, respond).await;
        };
        let handshake = tokio::time::timeout(HANDSHAKE_DEADLINE, tls.accept(stream));
        let (stream, admission) = tokio::select! {
            accepted = handshake => accepted??,
            () = self.place.activity.evicted() => return Ok(()),
            _ = self.stopping.wait_for(|stopping| *stopping) => return Ok(()),
        };
        if admission.has_certificate() {
            self.place.activity.raise(Standing::Certified);
        }
        self.serve_http(TokioIo::new(stream), Some(admission), respond)
            .await
    }

    async fn serve_http<S>(
        mut self,
        stream: S,
        admission: Option<Admission>,
        respond: Arc<impl Respond>,
    ) -> Result<(), Error>
    where
        S: Read + Write + Unpin + Send + 'static,
    {
        let http = http(&self.bounds);
        let activity = Arc::clone(&self.place.activity);
        let panics = self.panics.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            if let Some(admission) = admission {
                request.extensions_mut().insert(admission);
            }
            let respond = Arc::clone(&respond);
            let panics = panics.clone();
            let busy = activity.begin();
            if request.body().is_end_stream() {
                busy.arrived();
            }
            let is_head = request.method() == Method::HEAD;
            async move {
                // A request that was being answered is in nobody else's hands.
                let answering = AssertUnwindSafe(respond.respond(request, &busy)).catch_unwind();
                let mut response = answering.await.unwrap_or_else(|_| {
                    panics.inc();
                    status::unavailable(PANICKED)
                });
                if is_head {
                    // hyper leaves it out of HTTP/1 alone.
                    *response.body_mut() = Full::default();
                }
                drop(busy);
                Ok::<_, Infallible>(response)
            }
        });
        let connection = http.serve_connection(stream, service);
        tokio::pin!(connection);
        let activity = &self.place.activity;
        tokio::select! {
            ended = connection.as_mut() => return ended,
            _ = self.stopping.wait_for(|stopping| *stopping) => {}
            () = activity.evicted() => {
                if activity.standing() == Standing::Stranger {
                    // Somebody else needs the place now, and a stranger may take its time to leave it.
                    return Ok(());
                }
            }
            () = activity.idle_for(self.bounds.idle_timeout) => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            ended = connection => ended,
            () = closing(activity) => Ok(()),
        }
    }
}

/// What both versions of HTTP let a client do.
fn http(bounds: &Bounds) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // hyper takes 100 headers at most. To say so here would cost each request an allocation.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.header_timeout)
        .max_buf_size(MAX_HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL)
        .max_concurrent_streams(bounds.streams)
        .max_header_list_size(MAX_HEADER_LIST)
        .max_frame_size(MAX_FRAME)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(MAX_SEND_BUFFER)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_ERROR_RESETS);
    builder
}

/// Waits until a connection that was asked to end has had the time for it: while it is busy, and a little longer.
///
/// hyper takes new requests over HTTP/2 until the client says that it has understood. One that never does would stay for
/// as long as it asks.
async fn closing(activity: &Activity) {
    tokio::time::sleep(CLOSE_DEADLINE).await;
    activity.close();
    activity.idle_for(CLOSE_DEADLINE).await;
}
