//! Faults of services, and the requests that they affect.

use bytes::Bytes;
use hyper::header::{HeaderValue, LOCATION};
use hyper::{Response, StatusCode};
use serde_json::Value;

use super::reply_body::{Closed, ReplyBody};
use super::{ServiceReply, response};
use crate::merge_patch;

/// A fault of a reply.
#[derive(Clone, Debug)]
pub enum ServiceFault {
    /// No reply, while the connection stays open.
    Hang,
    /// The connection closes before the first byte of the reply.
    Close,
    /// This status, with an empty body.
    Status(u16),
    /// A page in HTML with the status 200, as a portal of a network sends it.
    Html,
    /// A body that does not end.
    EndlessBody,
    /// Status 302 to this URL.
    Redirect(String),
    /// The correct JSON with a merge patch (RFC 7386): `null` removes a member.
    Patch(Value),
    /// This body with the status 200.
    Body(&'static str),
}

impl ServiceFault {
    /// Returns the faulty reply in place of the correct one.
    pub(super) async fn spoil(self, right: ServiceReply) -> Result<Response<ReplyBody>, Closed> {
        let reply = match self {
            Self::Hang => std::future::pending().await,
            Self::Close => return Err(Closed),
            Self::Status(status) => {
                ServiceReply::text(StatusCode::from_u16(status).map_err(|_| Closed)?, "")
            }
            Self::Html => ServiceReply {
                content_type: "text/html",
                ..ServiceReply::text(StatusCode::OK, "<html><body>Please sign in</body></html>")
            },
            Self::EndlessBody => {
                let mut endless = response(right);
                let chunk = Bytes::from(vec![b' '; 16 * 1024]);
                *endless.body_mut() = ReplyBody::Endless(chunk);
                return Ok(endless);
            }
            Self::Redirect(url) => {
                let mut redirect = response(ServiceReply::text(StatusCode::FOUND, ""));
                let url = HeaderValue::try_from(url).map_err(|_| Closed)?;
                redirect.headers_mut().insert(LOCATION, url);
                return Ok(redirect);
            }
            Self::Patch(patch) => {
                let mut body = serde_json::from_slice(&right.body).unwrap_or_default();
                merge_patch::apply(&mut body, &patch);
                ServiceReply::json(right.status, &body)
            }
            Self::Body(body) => ServiceReply::text(StatusCode::OK, body),
        };
        Ok(response(reply))
    }
}

/// The current fault, and the requests that it affects.
#[derive(Debug, Default)]
pub(super) struct ServiceFaults {
    fault: Option<ServiceFault>,
    /// `None` if the fault affects every path.
    path: Option<String>,
    /// `None` if the number of uses is not limited.
    remaining: Option<usize>,
}

impl ServiceFaults {
    pub(super) fn always(&mut self, fault: Option<ServiceFault>) {
        *self = Self {
            fault,
            ..Self::default()
        };
    }

    pub(super) fn of_path(&mut self, path: &str, fault: ServiceFault) {
        *self = Self {
            fault: Some(fault),
            path: Some(path.to_owned()),
            remaining: None,
        };
    }

    pub(super) fn next(&mut self, count: usize, fault: ServiceFault) {
        *self = Self {
            fault: Some(fault),
            path: None,
            remaining: Some(count),
        };
    }

    /// Returns the fault for a request for `path`, and counts the use.
    pub(super) fn take_for(&mut self, path: &str) -> Option<ServiceFault> {
        if self.path.as_ref().is_some_and(|affected| affected != path) {
            return None;
        }
        let fault = self.fault.clone()?;
        if let Some(remaining) = &mut self.remaining {
            *remaining = remaining.checked_sub(1)?;
        }
        Some(fault)
    }
}
