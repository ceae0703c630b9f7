//! The server of the emulator: connections and their requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use ack_ram_core::time::UnixTime;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, DATE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::{Mutex, MutexGuard};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::action::Service;
use super::clock::Clock;
use super::decoded_request::DecodedRequest;
use super::fault::{Fault, FaultPlan};
use super::recorded_request::RequestLog;
use super::refusal::Refusal;
use super::tls::Acceptors;
use super::wire::{ResettableStream, Slot, Spoilable};
use crate::http_service::reply_body::{Closed, ReplyBody};

const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// How long a request may take to send its headers, and how long a connection may be idle.
const HEADER_DEADLINE: Duration = Duration::from_secs(60);
const BODY_LIMIT: usize = 1 << 20;

/// The state that the connections share with the [`Emulator`](super::Emulator).
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) connections: AtomicUsize,
    /// Changes when all connections have to close.
    pub(super) cut: watch::Sender<()>,
    requests: AtomicU64,
    service: Mutex<Service>,
    faults: Mutex<FaultPlan>,
    request_log: Mutex<RequestLog>,
}

impl Shared {
    pub(super) fn service(&self) -> MutexGuard<'_, Service> {
        self.service.lock()
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, FaultPlan> {
        self.faults.lock()
    }

    pub(super) fn request_log(&self) -> MutexGuard<'_, RequestLog> {
        self.request_log.lock()
    }

    /// Returns the next request ID, which has the form of a real one and contains a counter.
    fn next_request_id(&self) -> String {
        let count = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        format!("00000000-0000-4000-8000-{count:012X}")
    }
}

/// Accepts connections until the future is dropped.
pub(super) async fn serve(listener: TcpListener, tls: Option<Acceptors>, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // The likely cause is a lack of file descriptors. They become free when connections close.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        shared.connections.fetch_add(1, Ordering::Relaxed);
        let fault = shared.faults().take_on_accept();
        let mut cut = shared.cut.subscribe();
        let serving = connection(stream, tls.clone(), fault, shared.clone());
        tokio::spawn(async move {
            tokio::select! {
                // After a cut, the connection gets no further replies.
                biased;
                _ = cut.changed() => {}
                () = serving => {}
            }
        });
    }
}

async fn connection(
    mut stream: TcpStream,
    tls: Option<Acceptors>,
    fault: Option<Fault>,
    shared: Arc<Shared>,
) {
    let acceptor = tls
        .as_ref()
        .map(|acceptors| acceptors.under(fault.as_ref()));
    match fault {
        Some(Fault::StallOnAccept) => {
            // Discards all data from the client until it disconnects.
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            return;
        }
        Some(Fault::InHandshake(fault)) if fault.is_in_certificate() => {}
        Some(Fault::InHandshake(fault)) => {
            // The client may disconnect at any time.
            let _ = fault.play(&mut stream).await;
            return;
        }
        Some(Fault::ResetOnAccept) => {
            let _ = stream.set_zero_linger();
            return;
        }
        Some(_) => return,
        None => {}
    }
    // A reply is one small write, which should not wait for a full packet.
    let _ = stream.set_nodelay(true);
    match acceptor {
        None => requests(stream, shared).await,
        Some(acceptor) => {
            let handshake = tokio::time::timeout(HANDSHAKE_DEADLINE, acceptor.accept(stream));
            if let Ok(Ok(stream)) = handshake.await {
                requests(stream, shared).await;
            }
        }
    }
}

async fn requests(stream: impl ResettableStream, shared: Arc<Shared>) {
    let slot = Slot::default();
    let stream = Spoilable::new(stream, slot.clone());
    let service = service_fn(|request| respond(request, shared.clone(), slot.clone()));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .serve_connection(TokioIo::new(stream), service);
    // Clients and faults may close the connection at any time. Neither is an error of this server.
    let _ = connection.await;
}

async fn respond(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    slot: Slot,
) -> Result<Response<ReplyBody>, Closed> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, BODY_LIMIT).collect().await else {
        let mut response = Response::new(ReplyBody::Whole(Bytes::new()));
        *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return Ok(response);
    };
    let decoded = DecodedRequest::new(parts, body.to_bytes());

    let request_id = shared.next_request_id();
    let host = decoded.host().to_owned();
    let refuse = |refusal: &Refusal| json(refusal.status(), &refusal.body(&request_id, &host));

    let answer = shared.service().answer(&decoded, shared.clock.now());
    let error = answer.as_ref().err().map(Refusal::code);
    let (fault, replaced) = {
        let mut faults = shared.faults();
        (faults.take_for(&decoded), faults.replaced())
    };
    shared.request_log().record(decoded, error, fault.clone());
    if let Some(on_wire) = fault.as_ref().and_then(Fault::on_wire) {
        slot.set_fault(on_wire);
    }

    let right = match answer {
        Ok(mut body) => {
            body["RequestId"] = Value::from(request_id.as_str());
            json(StatusCode::OK, &body)
        }
        Err(refusal) => refuse(&refusal),
    };
    let reply = match fault {
        None => Ok(right.map(ReplyBody::Whole)),
        Some(fault) => fault.spoil(replaced, right, refuse).await,
    };
    reply.map(|mut response| {
        // Clients compare their clock with this date.
        let date = http_date(shared.clock.now());
        response.headers_mut().extend(date.map(|date| (DATE, date)));
        response
    })
}

fn json(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json;charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn http_date(time: UnixTime) -> Option<HeaderValue> {
    let since_epoch = Duration::from_secs(time.seconds().try_into().ok()?);
    let date = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH.checked_add(since_epoch)?);
    HeaderValue::from_str(&date).ok()
}
