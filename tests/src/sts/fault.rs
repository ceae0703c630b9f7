//! Faults of STS that the emulator imitates.

use std::time::Duration;

use ack_ram_core::access_key::AccessKeyId;
use bytes::Bytes;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Response, StatusCode};
use tokio::sync::watch;

use super::decoded_request::DecodedRequest;
use super::handshake::Handshake;
use super::refusal::Refusal;
use super::wire::Wire;
use crate::http_service::reply_body::{Closed, ReplyBody};

/// A fault of a connection or of a reply.
///
/// Set a fault with [`super::Emulator::set_fault`] or [`super::Emulator::fault_next`]. The emulator still verifies and
/// records the request, except for faults on accept and in the handshake, which prevent requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is accepted and closed before the TLS handshake.
    CloseOnAccept,
    /// The connection is accepted, and the server sends nothing, not even a TLS handshake.
    StallOnAccept,
    /// The connection is accepted and reset before the TLS handshake.
    ResetOnAccept,
    /// The TLS handshake fails.
    InHandshake(Handshake),
    /// The correct reply, after this delay.
    Delay(Duration),
    /// The correct reply, as soon as another fault is set or faults end. The speed of the machine does not matter.
    Hold,
    /// No reply, while the connection stays open.
    Hang,
    /// The connection closes before the first byte of the reply.
    CloseBeforeHeaders,
    /// The connection closes in the middle of the body.
    CloseInBody,
    /// The body is shorter than `Content-Length`, and the connection stays open.
    ContentLengthTooLong,
    /// The body and `Content-Length` are shorter than the JSON.
    ContentLengthTooShort,
    /// The headers of the reply are a megabyte long.
    HugeHeaders,
    /// A body that does not end.
    EndlessBody,
    /// Status 200 and a body that is not JSON.
    Garbage,
    /// The correct reply, with this `Content-Type`.
    ContentType(&'static str),
    /// The correct reply, corrupted on the wire.
    OnWire(Wire),
    /// `Throttling.User`, status 400.
    ThrottleUser,
    /// `Throttling.Api`, status 400.
    ThrottleApi,
    /// `InternalError`, status 500.
    InternalError,
    /// `ServiceUnavailable`, status 503.
    ServiceUnavailable,
    /// Status 302 to this URL.
    Redirect(String),
    /// This status and this body.
    Reply {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: Bytes,
    },
}

/// The stage at which a fault acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Accept,
    Request,
}

impl Fault {
    fn stage(&self) -> Stage {
        match self {
            Self::CloseOnAccept
            | Self::StallOnAccept
            | Self::ResetOnAccept
            | Self::InHandshake(_) => Stage::Accept,
            _ => Stage::Request,
        }
    }

    /// Returns the fault that corrupts the written reply on the wire, if it is one.
    pub(super) fn on_wire(&self) -> Option<Wire> {
        match self {
            Self::OnWire(fault) => Some(*fault),
            _ => None,
        }
    }

    /// Returns the faulty reply in place of the correct one. `replaced` changes when another fault is set.
    pub(super) async fn spoil(
        self,
        mut replaced: watch::Receiver<()>,
        right: Response<Bytes>,
        refuse: impl FnOnce(&Refusal) -> Response<Bytes>,
    ) -> Result<Response<ReplyBody>, Closed> {
        let faulty = match self {
            Self::Delay(time) => {
                tokio::time::sleep(time).await;
                right.map(ReplyBody::Whole)
            }
            Self::Hold => {
                // If the emulator is dropped, no client waits for the reply any more.
                let _ = replaced.changed().await;
                right.map(ReplyBody::Whole)
            }
            Self::Hang => std::future::pending().await,
            Self::CloseOnAccept
            | Self::StallOnAccept
            | Self::ResetOnAccept
            | Self::InHandshake(_)
            | Self::CloseBeforeHeaders => return Err(Closed),
            Self::OnWire(_) => right.map(ReplyBody::Whole),
            Self::ContentType(name) => {
                let mut response = right.map(ReplyBody::Whole);
                let headers = response.headers_mut();
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(name));
                response
            }
            Self::CloseInBody => {
                let half = right.body().len() / 2;
                announce(right, |len| len).map(|body| ReplyBody::ThenClose(body.slice(..half)))
            }
            Self::ContentLengthTooLong => {
                announce(right, |len| len + 1).map(ReplyBody::ThenNothing)
            }
            Self::ContentLengthTooShort => {
                let half = right.body().len() / 2;
                right.map(|body| ReplyBody::Whole(body.slice(..half)))
            }
            Self::HugeHeaders => {
                let mut response = right.map(ReplyBody::Whole);
                // Each header is within the limit for one header; all of them together exceed the limit of any client.
                let value = HeaderValue::from_str(&"a".repeat(16 * 1024)).map_err(|_| Closed)?;
                for _ in 0..64 {
                    response.headers_mut().append("x-padding", value.clone());
                }
                response
            }
            Self::EndlessBody => right.map(|_| {
                let mut chunk = b"{\"Arn\":\"".to_vec();
                chunk.resize(16 * 1024, b'a');
                ReplyBody::Endless(chunk.into())
            }),
            Self::Garbage => canned(StatusCode::OK, Bytes::from_static(b"<html>\xff\0</html>")),
            Self::ThrottleUser => refuse(&Refusal::ThrottledUser).map(ReplyBody::Whole),
            Self::ThrottleApi => refuse(&Refusal::ThrottledApi).map(ReplyBody::Whole),
            Self::InternalError => refuse(&Refusal::InternalError).map(ReplyBody::Whole),
            Self::ServiceUnavailable => refuse(&Refusal::ServiceUnavailable).map(ReplyBody::Whole),
            Self::Redirect(url) => {
                let mut response = canned(StatusCode::FOUND, Bytes::new());
                let url = HeaderValue::try_from(url).map_err(|_| Closed)?;
                response.headers_mut().insert(LOCATION, url);
                response
            }
            Self::Reply { status, body } => {
                canned(StatusCode::from_u16(status).map_err(|_| Closed)?, body)
            }
        };
        Ok(faulty)
    }
}

fn announce(mut response: Response<Bytes>, length: impl Fn(usize) -> usize) -> Response<Bytes> {
    let length = HeaderValue::from(length(response.body().len()));
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

fn canned(status: StatusCode, body: Bytes) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::Whole(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json;charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// The current fault, and its number of remaining uses.
#[derive(Debug, Default)]
pub(super) struct FaultPlan {
    fault: Option<Fault>,
    /// `None` if the number is not limited.
    remaining: Option<usize>,
    scope: FaultScope,
    replaced: watch::Sender<()>,
}

/// The requests that a fault affects. Faults on accept and in the handshake affect all connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum FaultScope {
    /// Every request.
    #[default]
    All,
    /// Signed requests.
    Signed,
    /// Requests that claim to be signed with this key.
    Key(AccessKeyId),
    /// Requests for this action.
    Action(String),
}

/// The claimed signer of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Signer {
    /// No signer: the request is a probe.
    Nobody,
    /// The request does not name its key.
    Unknown,
    /// The key that the request names.
    Key(AccessKeyId),
}

impl FaultScope {
    fn includes(&self, request: &DecodedRequest) -> bool {
        match self {
            Self::All => true,
            Self::Signed => request.signer() != Signer::Nobody,
            Self::Key(key) => matches!(request.signer(), Signer::Key(signer) if signer == *key),
            Self::Action(action) => request.action() == Some(action),
        }
    }
}

impl FaultPlan {
    pub(super) fn always(&mut self, fault: Option<Fault>, scope: FaultScope) {
        self.replace(fault, None, scope);
    }

    pub(super) fn next(&mut self, count: usize, fault: Fault, scope: FaultScope) {
        self.replace(Some(fault), Some(count), scope);
    }

    fn replace(&mut self, fault: Option<Fault>, remaining: Option<usize>, scope: FaultScope) {
        self.fault = fault;
        self.remaining = remaining;
        self.scope = scope;
        self.replaced.send_replace(());
    }

    /// Returns the fault for a new connection, and counts the use.
    pub(super) fn take_on_accept(&mut self) -> Option<Fault> {
        self.take(Stage::Accept)
    }

    /// Returns the fault for `request`, and counts the use.
    pub(super) fn take_for(&mut self, request: &DecodedRequest) -> Option<Fault> {
        if self.scope.includes(request) {
            self.take(Stage::Request)
        } else {
            None
        }
    }

    fn take(&mut self, stage: Stage) -> Option<Fault> {
        let fault = self.fault.as_ref().filter(|fault| fault.stage() == stage)?;
        if let Some(remaining) = &mut self.remaining {
            *remaining = remaining.checked_sub(1)?;
        }
        Some(fault.clone())
    }

    /// Returns a receiver that changes when another fault is set.
    pub(super) fn replaced(&self) -> watch::Receiver<()> {
        self.replaced.subscribe()
    }
}
