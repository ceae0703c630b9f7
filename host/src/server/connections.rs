//! Connections: acceptance, limits on number and time, and shutdown.

mod activity;
mod budget;
mod connection;
mod eviction;
mod frames;
mod guarded_stream;
pub(super) mod head;
mod registry;
mod request_body;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::metrics::PortMetrics;
use crate::server::certificates::Tls;
use crate::server::line_limiter::LineLimiter;
pub(super) use activity::RequestGuard;
use connection::Connection;
pub(super) use eviction::{ClientStanding, Origin};
use registry::ConnectionRegistry;
use request_body::DiscardLimits;
pub(super) use request_body::RequestBody;

/// Pause after accepting failed, such as for a lack of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Answers requests.
pub(super) trait Responder: Send + Sync + 'static {
    /// Responds to `request`. A responder that reads the body reports to `guard` when the body has arrived.
    fn respond(
        &self,
        request: Request<RequestBody>,
        guard: &RequestGuard,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send;

    /// Returns the maximum size of the head of a request for `path`, in bytes. It does not exceed
    /// [`ConnectionLimits::max_head`].
    fn max_head(&self, path: &str) -> usize;

    /// Returns the response to a request for `path` whose head is too large. `reason` says by how much, and what to do.
    fn refuse_head(&self, path: &str, reason: &str) -> Response<Full<Bytes>>;
}

/// Limits on connections, and on the requests in each connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionLimits {
    /// Maximum number of simultaneous connections.
    pub(super) connections: usize,
    /// Maximum number of simultaneous requests in one HTTP/2 connection.
    pub(super) streams: u32,
    /// Maximum size of the head of a request, in bytes.
    pub(super) max_head: usize,
    /// Maximum time until the headers of a request have arrived.
    pub(super) header_timeout: Duration,
    /// Time without a request after which a connection is closed.
    pub(super) idle_timeout: Duration,
}

/// A listener and all its connections.
pub(super) struct Connections {
    listener: TcpListener,
    /// TLS settings; `None` for plain HTTP.
    tls: Option<Tls>,
    bounds: ConnectionLimits,
    metrics: PortMetrics,
    lines: Arc<LineLimiter>,
    discards: DiscardLimits,
    registry: Arc<ConnectionRegistry>,
    open: JoinSet<()>,
    stopping: watch::Sender<bool>,
}

impl Connections {
    /// Builds the connections of `listener`, within `bounds`. If all slots are taken, a new connection takes the slot
    /// of another one, or waits.
    pub(super) fn new(
        listener: TcpListener,
        tls: Option<Tls>,
        bounds: ConnectionLimits,
        metrics: PortMetrics,
        lines: Arc<LineLimiter>,
    ) -> Self {
        Self {
            listener,
            tls,
            registry: ConnectionRegistry::new(bounds.connections, &metrics),
            bounds,
            metrics,
            lines,
            discards: DiscardLimits::new(),
            open: JoinSet::new(),
            stopping: watch::Sender::new(false),
        }
    }

    /// Accepts connections forever. Each connection is served by its own task.
    pub(super) async fn serve(&mut self, respond: Arc<impl Responder>) {
        let mut is_failing = false;
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = self.open.join_next() => continue,
            };
            match accepted {
                Ok((stream, peer)) => {
                    if is_failing {
                        tracing::info!("accepting connections again");
                        is_failing = false;
                    }
                    let slot = self.registry.acquire(Origin::from_address(peer.ip())).await;
                    let connection = Connection {
                        tls: self.tls.clone(),
                        bounds: self.bounds,
                        metrics: self.metrics.clone(),
                        lines: Arc::clone(&self.lines),
                        discards: self.discards.for_connection(),
                        stopping: self.stopping.subscribe(),
                        slot,
                    };
                    let respond = Arc::clone(&respond);
                    self.open.spawn(async move {
                        if let Err(reason) = connection.serve(stream, respond).await {
                            tracing::debug!("a connection ended: {reason}");
                        }
                    });
                }
                Err(error) if is_about_one(error.kind()) => {}
                Err(error) => {
                    if !is_failing {
                        tracing::error!("cannot accept connections: {error}");
                        is_failing = true;
                    }
                    // The process may have run out of descriptors.
                    self.registry.free_descriptors();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Asks every connection to close after its in-flight requests, and waits until all are closed.
    pub(super) async fn finish(mut self) {
        drop(self.listener);
        self.stopping.send_replace(true);
        while self.open.join_next().await.is_some() {}
    }
}

/// Returns whether accepting failed because of the incoming connection, so that the next one is not affected.
fn is_about_one(error: ErrorKind) -> bool {
    matches!(
        error,
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}
