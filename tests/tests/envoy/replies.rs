//! A server that replaces STS and sends the replies of a test. The emulator would send correct ones.

use std::collections::HashMap;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderMap};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;

/// A reply of the server.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Response {
        status: u16,
        body: String,
    },
    /// The server closes the connection.
    Unreachable,
    /// The server sends no reply.
    TimedOut,
}

/// A received request.
#[derive(Debug)]
pub(crate) struct RecordedCall {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
}

/// A running server. Dropping it stops the server.
pub(crate) struct Replies {
    pub(crate) address: SocketAddr,
    calls: Arc<Mutex<Vec<RecordedCall>>>,
    _stop: oneshot::Sender<()>,
}

impl Replies {
    /// Starts a server that answers requests to the host `name` with `replies[name]`.
    pub(crate) fn start(replies: HashMap<String, Reply>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (replies, record) = (Arc::new(replies), Arc::clone(&calls));
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = serve(listener, replies, record) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            calls,
            _stop: stop,
        }
    }

    /// Returns the requests since the last call.
    pub(crate) fn take(&self) -> Vec<RecordedCall> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

async fn serve(
    listener: tokio::net::TcpListener,
    replies: Arc<HashMap<String, Reply>>,
    calls: Arc<Mutex<Vec<RecordedCall>>>,
) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (replies, calls) = (Arc::clone(&replies), Arc::clone(&calls));
        let answer = service_fn(move |request: Request<Incoming>| {
            let host = request.headers()[HOST].to_str().unwrap().to_owned();
            calls.lock().unwrap().push(RecordedCall {
                method: request.method().clone(),
                target: request.uri().to_string(),
                headers: request.headers().clone(),
            });
            answer(replies.get(&host).cloned())
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    }
}

async fn answer(
    reply: Option<Reply>,
) -> Result<Response<Full<Bytes>>, Box<dyn Error + Send + Sync>> {
    match reply {
        Some(Reply::Response { status, body }) => {
            let response = Response::builder().status(status);
            Ok(response.body(Full::from(body))?)
        }
        Some(Reply::TimedOut) => std::future::pending().await,
        Some(Reply::Unreachable) => Err("closed on purpose".into()),
        None => Err("unknown host".into()),
    }
}
