//! JSON responses: reviews, and Kubernetes' `Status` for errors.

use ack_ram_core::review::{self, HttpReply};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

/// Returns a `Status` response with the reason why there is no review.
pub(super) fn status(code: u16, reason: &str, message: &str) -> Response<Full<Bytes>> {
    json(review::render_status(code, reason, message))
}

/// Returns the `Status` response of an unavailable decision. It has no `Retry-After`, which would make API servers
/// hang.
pub(super) fn unavailable(message: &str) -> Response<Full<Bytes>> {
    status(503, "ServiceUnavailable", message)
}

pub(super) fn json(answer: HttpReply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(answer.body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
