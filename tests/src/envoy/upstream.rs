//! A service that records the requests that it gets, and echoes them.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::{io, thread};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, UPGRADE};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A running echo service.
///
/// It replies with 200 and the body of the request. Replies to gRPC calls have trailers, and a websocket gets every
/// byte back. Dropping the service stops it.
pub struct Upstream {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<ReceivedRequest>>>,
    _stop: oneshot::Sender<()>,
}

/// A request that the service got.
#[derive(Clone, Debug)]
pub struct ReceivedRequest {
    /// The version of HTTP.
    pub version: Version,
    /// The method.
    pub method: Method,
    /// The path and the query.
    pub target: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The trailers.
    pub trailers: HeaderMap,
}

impl ReceivedRequest {
    /// Returns all values of the header `name`.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<&str> {
        let values = self.headers.get_all(name).into_iter();
        values.filter_map(|value| value.to_str().ok()).collect()
    }
}

impl Upstream {
    /// Starts a service on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn start() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let requests = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&requests);
        let (stop, stopped) = oneshot::channel::<()>();
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, record) => {}
                    _ = stopped => {}
                }
            });
        });
        Ok(Self {
            address,
            requests,
            _stop: stop,
        })
    }

    /// Returns the address that the service listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the requests since the last call, oldest first.
    pub fn take(&self) -> Vec<ReceivedRequest> {
        std::mem::take(&mut *self.requests.lock())
    }
}

async fn serve(listener: TcpListener, requests: Arc<Mutex<Vec<ReceivedRequest>>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let requests = Arc::clone(&requests);
        tokio::spawn(async move {
            let answer = service_fn(move |request| answer(request, Arc::clone(&requests)));
            let mut server = auto::Builder::new(TokioExecutor::new());
            server.http1().half_close(true);
            server.http2().max_header_list_size(1 << 20);
            // Tests break connections on purpose.
            let _ = server
                .serve_connection_with_upgrades(TokioIo::new(stream), answer)
                .await;
        });
    }
}

async fn answer(
    mut request: Request<Incoming>,
    requests: Arc<Mutex<Vec<ReceivedRequest>>>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, Infallible> {
    let upgrade = request.headers().get(UPGRADE).cloned();
    let upgraded = upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
    let (head, body) = request.into_parts();
    let is_grpc = head
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    let collected = match body.collect().await {
        Ok(collected) => collected,
        // Incomplete requests are not recorded.
        Err(_) => return Ok(Response::new(Full::default().boxed())),
    };
    let trailers = collected.trailers().cloned().unwrap_or_default();
    let body = collected.to_bytes();
    requests.lock().push(ReceivedRequest {
        version: head.version,
        method: head.method,
        target: head
            .uri
            .path_and_query()
            .map(ToString::to_string)
            .unwrap_or_default(),
        headers: head.headers,
        body: body.clone(),
        trailers: trailers.clone(),
    });
    if let (Some(protocol), Some(upgraded)) = (upgrade, upgraded) {
        tokio::spawn(async move {
            if let Ok(stream) = upgraded.await {
                let (mut from, mut to) = tokio::io::split(TokioIo::new(stream));
                let _ = tokio::io::copy(&mut from, &mut to).await;
            }
        });
        let mut response = Response::new(Full::default().boxed());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().insert(UPGRADE, protocol);
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("upgrade"));
        return Ok(response);
    }
    let body = Full::new(body);
    let mut response = Response::new(if is_grpc {
        let mut trailers = trailers;
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        body.with_trailers(async { Some(Ok(trailers)) }).boxed()
    } else {
        body.boxed()
    });
    if is_grpc {
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    }
    Ok(response)
}
