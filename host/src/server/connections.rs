//! Connections of the API server: accepted, bounded in time, finished before the program ends.

use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::server::webhook::Webhook;

/// A TLS handshake takes two round trips.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// The time for a request's headers; also ends connections that stay idle longer.
const HEADER_DEADLINE: Duration = Duration::from_secs(120);
/// When accepting fails (no descriptors left), the next try may fare better.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// All connections that are open.
pub(super) struct Connections {
    graceful: GracefulShutdown,
}

impl Connections {
    pub(super) fn new() -> Self {
        Self {
            graceful: GracefulShutdown::new(),
        }
    }

    /// Accepts connections for ever; each is served by a task of its own.
    pub(super) async fn accept_tls(
        &mut self,
        listener: TcpListener,
        tls: TlsAcceptor,
        webhook: Arc<Webhook>,
    ) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let watcher = self.graceful.watcher();
                    let serving = serve(stream, tls.clone(), Arc::clone(&webhook), watcher);
                    tokio::spawn(async move {
                        if let Err(reason) = serving.await {
                            tracing::debug!(%peer, "connection ended: {reason}");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!("cannot accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Asks every connection to end after what it is doing. False when some have not at the deadline.
    pub(super) async fn finish(self, deadline: Duration) -> bool {
        tokio::time::timeout(deadline, self.graceful.shutdown())
            .await
            .is_ok()
    }
}

async fn serve(
    stream: TcpStream,
    tls: TlsAcceptor,
    webhook: Arc<Webhook>,
    watcher: Watcher,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let stream = tokio::time::timeout(HANDSHAKE_DEADLINE, tls.accept(stream)).await??;
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEADER_DEADLINE);
    let service = service_fn(move |request| {
        let webhook = Arc::clone(&webhook);
        async move { Ok::<_, std::convert::Infallible>(webhook.respond(request).await) }
    });
    let connection = builder
        .serve_connection(TokioIo::new(stream), service)
        .into_owned();
    watcher.watch(connection).await
}
