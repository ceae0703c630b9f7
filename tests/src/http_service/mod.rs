//! A small HTTP server on loopback, of which the emulators of services other than STS are made.
//!
//! The handler of a service answers every request. A [`ServiceFault`] then replaces or corrupts the reply, as faults of
//! STS do: the service still does what the request asks for.

mod fault;
pub(crate) mod reply_body;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use self::fault::ServiceFaults;
use self::reply_body::{Closed, ReplyBody};

pub use self::fault::ServiceFault;
use crate::service_thread::ServiceThread;

const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// How long a request may take to send its headers, and how long a connection may be idle.
const HEADER_DEADLINE: Duration = Duration::from_secs(60);
const BODY_LIMIT: usize = 1 << 20;

/// A request that a service received.
#[derive(Clone, Debug)]
pub struct ServiceCall {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// The query; empty if there is none.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl ServiceCall {
    /// Returns the value of the header `name`; `None` if the header is missing, repeated, or not text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }

    /// Returns the token in `Authorization: Bearer <token>`.
    #[must_use]
    pub fn bearer_token(&self) -> Option<&str> {
        self.header("authorization")?.strip_prefix("Bearer ")
    }

    /// Returns whether the media type of the body is `media_type`, whatever its parameters.
    #[must_use]
    pub fn has_media_type(&self, media_type: &str) -> bool {
        let value = self.header("content-type").unwrap_or_default();
        value.split(';').next().map(str::trim) == Some(media_type)
    }
}

/// The reply of a service.
#[derive(Clone, Debug)]
pub struct ServiceReply {
    status: StatusCode,
    content_type: &'static str,
    body: Bytes,
}

impl ServiceReply {
    /// Returns a reply in JSON.
    #[must_use]
    pub fn json(status: StatusCode, body: &Value) -> Self {
        Self {
            status,
            content_type: "application/json;charset=utf-8",
            body: body.to_string().into(),
        }
    }

    /// Returns a reply in plain text.
    #[must_use]
    pub fn text(status: StatusCode, body: &str) -> Self {
        Self {
            status,
            content_type: "text/plain",
            body: body.to_owned().into(),
        }
    }
}

/// A running service on its own thread. Dropping it closes its connections and its port, and ends the thread.
#[derive(Debug)]
pub struct HttpService {
    has_tls: bool,
    shared: Arc<Shared>,
    thread: ServiceThread,
}

#[derive(Debug, Default)]
struct Shared {
    calls: Mutex<Vec<ServiceCall>>,
    faults: Mutex<ServiceFaults>,
}

type Handler = dyn Fn(&ServiceCall) -> ServiceReply + Send + Sync;

impl HttpService {
    /// Starts a service on a free port of 127.0.0.1, with HTTPS if there is an acceptor. The caller may, but need not,
    /// be inside an async runtime.
    ///
    /// # Errors
    /// If there is no free port, or the system provides no thread.
    pub fn start(
        name: &str,
        tls: Option<TlsAcceptor>,
        handler: impl Fn(&ServiceCall) -> ServiceReply + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let shared = Arc::new(Shared::default());
        let has_tls = tls.is_some();
        let thread = ServiceThread::start(name, listener, |listener| {
            serve(listener, tls, Arc::clone(&shared), Arc::new(handler))
        })?;
        Ok(Self {
            has_tls,
            shared,
            thread,
        })
    }

    /// Returns the address that the service listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.thread.address()
    }

    /// Returns the URL without a slash at the end: scheme, host and port.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.has_tls { "https" } else { "http" };
        format!("{scheme}://{}", self.address())
    }

    /// Returns the requests so far, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<ServiceCall> {
        self.shared.calls.lock().clone()
    }

    /// Returns the number of requests for `path`, including refused ones.
    #[must_use]
    pub fn count(&self, path: &str) -> usize {
        let calls = self.shared.calls.lock();
        calls.iter().filter(|call| call.path == path).count()
    }

    /// Sets the fault of all requests from now on; `None` ends the faults.
    pub fn set_fault(&self, fault: Option<ServiceFault>) {
        self.shared.faults.lock().always(fault);
    }

    /// Sets the fault of requests for `path` from now on, and ends other faults.
    pub fn set_fault_of_path(&self, path: &str, fault: ServiceFault) {
        self.shared.faults.lock().of_path(path, fault);
    }

    /// Sets the fault of the next `count` requests, and ends other faults.
    pub fn fault_next(&self, count: usize, fault: ServiceFault) {
        self.shared.faults.lock().next(count, fault);
    }
}

/// Accepts connections until the future is dropped.
async fn serve(
    listener: tokio::net::TcpListener,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    handler: Arc<Handler>,
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // The likely cause is a lack of file descriptors. They become free when connections close.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        // A reply is one small write, which should not wait for a full packet.
        let _ = stream.set_nodelay(true);
        let (tls, shared, handler) = (tls.clone(), Arc::clone(&shared), Arc::clone(&handler));
        tokio::spawn(async move {
            match tls {
                None => requests(stream, shared, handler).await,
                Some(acceptor) => {
                    let handshake =
                        tokio::time::timeout(HANDSHAKE_DEADLINE, acceptor.accept(stream));
                    if let Ok(Ok(stream)) = handshake.await {
                        requests(stream, shared, handler).await;
                    }
                }
            }
        });
    }
}

async fn requests(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    shared: Arc<Shared>,
    handler: Arc<Handler>,
) {
    let service = service_fn(|request| respond(request, &shared, &*handler));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .serve_connection(TokioIo::new(stream), service);
    // Clients and faults may close the connection at any time. Neither is an error of this server.
    let _ = connection.await;
}

async fn respond(
    request: Request<Incoming>,
    shared: &Shared,
    handler: &Handler,
) -> Result<Response<ReplyBody>, Closed> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_LIMIT).collect().await;
    let call = ServiceCall {
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        method: parts.method,
        headers: parts.headers,
        body: body.map_err(|_| Closed)?.to_bytes(),
    };
    shared.calls.lock().push(call.clone());
    let reply = handler(&call);
    let fault = shared.faults.lock().take_for(&call.path);
    match fault {
        None => Ok(response(reply)),
        Some(fault) => fault.spoil(reply).await,
    }
}

fn response(reply: ServiceReply) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::Whole(reply.body));
    *response.status_mut() = reply.status;
    let content_type = HeaderValue::from_static(reply.content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

#[cfg(test)]
pub(crate) mod test_client;
#[cfg(test)]
mod tests;
