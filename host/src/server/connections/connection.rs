//! A connection: TLS, HTTP/1.1 or HTTP/2, and limits on what the client may do.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::metrics::PortMetrics;
use crate::server::certificates::{ClientAdmission, Tls};
use crate::server::connections::activity::Activity;
use crate::server::connections::budget::OverheadBudget;
use crate::server::connections::eviction::ClientStanding;
use crate::server::connections::guarded_stream::GuardedStream;
use crate::server::connections::head::{self, HEAD_MARGIN, MAX_PARSED_HEADERS};
use crate::server::connections::registry::ConnectionSlot;
use crate::server::connections::request_body::{DiscardLimits, RequestBody};
use crate::server::connections::{ConnectionLimits, Responder};
use crate::server::line_limiter::{LineLimiter, LineReason};
use crate::server::status;

/// Maximum time of a TLS handshake, which takes two round trips.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// Time that a closing connection gets for the rest of a response, or for acknowledging the shutdown.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

const MAX_FRAME: u32 = 16 * 1024;
/// Receive window of a request. It has room for the longest body.
const STREAM_WINDOW: u32 = 64 * 1024;
/// Receive window of a connection: the bytes that a client may send before the server reads them.
const CONNECTION_WINDOW: u32 = 64 * 1024;
/// Maximum size of the buffered part of a response to a client that does not read.
const MAX_SEND_BUFFER: usize = 64 * 1024;
/// Number of requests that a client may reset before the server handles them. One more ends the connection.
const MAX_PENDING_RESETS: usize = 100;
/// Number of requests that may be refused for malformed frames. One more ends the connection.
const MAX_ERROR_RESETS: usize = 1_024;
/// Interval of pings to a silent HTTP/2 client, and the time that it has to answer a ping.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// Same message as for an internal error during a decision.
const PANICKED: &str =
    "[ack-ram-authenticator] the authenticator had an internal error; see its log";

type Error = Box<dyn std::error::Error + Send + Sync>;

/// An accepted connection.
pub(super) struct Connection {
    pub(super) tls: Option<Tls>,
    pub(super) bounds: ConnectionLimits,
    pub(super) metrics: PortMetrics,
    pub(super) lines: Arc<LineLimiter>,
    pub(super) discards: DiscardLimits,
    pub(super) stopping: watch::Receiver<bool>,
    pub(super) slot: ConnectionSlot,
}

impl Connection {
    pub(super) async fn serve(
        mut self,
        stream: TcpStream,
        respond: Arc<impl Responder>,
    ) -> Result<(), Error> {
        stream.set_nodelay(true)?;
        let Some(tls) = self.tls.take() else {
            return self.serve_http(stream, None, respond).await;
        };
        let handshake = tokio::time::timeout(HANDSHAKE_DEADLINE, tls.accept(stream));
        let (stream, admission) = tokio::select! {
            accepted = handshake => accepted??,
            () = self.slot.activity.wait_for_eviction() => return Ok(()),
            _ = self.stopping.wait_for(|stopping| *stopping) => return Ok(()),
        };
        if admission.has_certificate() {
            self.slot.activity.raise(ClientStanding::Certified);
        }
        self.serve_http(stream, Some(admission), respond).await
    }

    async fn serve_http<S>(
        self,
        stream: S,
        admission: Option<ClientAdmission>,
        respond: Arc<impl Responder>,
    ) -> Result<(), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let budget = Arc::new(OverheadBudget::new(self.bounds.streams));
        let (metrics, lines) = (self.metrics.clone(), Arc::clone(&self.lines));
        let stream = TokioIo::new(GuardedStream::new(stream, Arc::clone(&budget)));
        let ended = self
            .run(stream, Arc::clone(&budget), admission, respond)
            .await;
        if budget.is_exceeded() {
            metrics.floods.inc();
            if lines.admits(LineReason::Flood, None) {
                tracing::warn!(
                    "closed a connection: the client sent too many frames, or too small pieces, that start no request"
                );
            }
        } else if let Err(error) = &ended
            && head::exceeds_library_limit(&**error)
        {
            metrics.large_heads.inc();
            if lines.admits(LineReason::Rejected(head::STATUS), None) {
                tracing::warn!(
                    status = head::STATUS,
                    "rejected a request: its URL is longer than 65534 bytes, its URL and headers are far larger than the limit, or it has more than 256 headers"
                );
            }
        }
        ended
    }

    async fn run<S>(
        mut self,
        stream: TokioIo<GuardedStream<S>>,
        budget: Arc<OverheadBudget>,
        admission: Option<ClientAdmission>,
        respond: Arc<impl Responder>,
    ) -> Result<(), Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let http = http(&self.bounds);
        let activity = Arc::clone(&self.slot.activity);
        let (metrics, discards) = (self.metrics.clone(), self.discards.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            budget.refund();
            let (mut request, leftover) = RequestBody::wrap(request, &discards);
            if let Some(admission) = admission {
                request.extensions_mut().insert(admission);
            }
            let respond = Arc::clone(&respond);
            let metrics = metrics.clone();
            let guard = activity.begin();
            if request.body().is_end_stream() {
                guard.mark_received();
            }
            let is_head = request.method() == Method::HEAD;
            let version = request.version();
            async move {
                // Unwind safety: after a panic, nothing else uses the state of the request.
                let answering = AssertUnwindSafe(async {
                    match head::find_excess(&request, respond.max_head(request.uri().path())) {
                        Some(excess) => {
                            metrics.large_heads.inc();
                            let path = request.uri().path();
                            respond.refuse_head(path, &excess.to_string())
                        }
                        None => respond.respond(request, &guard).await,
                    }
                });
                let mut response = answering.catch_unwind().await.unwrap_or_else(|_| {
                    metrics.panics.inc();
                    status::unavailable(PANICKED)
                });
                if is_head {
                    // hyper omits the body only in HTTP/1.
                    *response.body_mut() = Full::default();
                }
                if version < Version::HTTP_2 && leftover.ends_connection(response.status()) {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(CONNECTION, close);
                }
                drop(guard);
                Ok::<_, Infallible>(response)
            }
        });
        let connection = http.serve_connection(stream, service);
        tokio::pin!(connection);
        let activity = &self.slot.activity;
        tokio::select! {
            ended = connection.as_mut() => return ended,
            _ = self.stopping.wait_for(|stopping| *stopping) => {}
            () = activity.wait_for_eviction() => {
                if activity.standing() == ClientStanding::Stranger {
                    // The slot is needed now, and a stranger could delay a graceful shutdown.
                    return Ok(());
                }
            }
            () = activity.wait_until_idle(self.bounds.idle_timeout) => {}
        }
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            ended = connection => ended,
            () = wait_until_closed(activity) => Ok(()),
        }
    }
}

/// Returns an HTTP server with the limits of both versions of HTTP.
fn http(bounds: &ConnectionLimits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // Beyond these limits, hyper and h2 answer by themselves, with a 431 that has no body.
    let max_head = bounds.max_head + HEAD_MARGIN;
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.header_timeout)
        .max_headers(MAX_PARSED_HEADERS)
        .max_buf_size(max_head);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL)
        .max_concurrent_streams(bounds.streams)
        .max_header_list_size(u32::try_from(max_head).unwrap_or(u32::MAX))
        .max_frame_size(MAX_FRAME)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(MAX_SEND_BUFFER)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_ERROR_RESETS);
    builder
}

/// Waits until a connection that is shutting down may be closed: while it is busy, and a little longer.
///
/// hyper accepts new HTTP/2 requests until the client acknowledges the shutdown. A client that never does could stay
/// for as long as it sends requests.
async fn wait_until_closed(activity: &Activity) {
    tokio::time::sleep(CLOSE_DEADLINE).await;
    activity.close();
    activity.wait_until_idle(CLOSE_DEADLINE).await;
}
