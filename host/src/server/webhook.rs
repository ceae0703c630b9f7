//! The HTTP side of the webhook: which requests are answered, and how.

use std::sync::Arc;
use std::time::Duration;

use ack_ram_core::review::{self, Answer, ReviewVersion, TokenReview};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};

use crate::authenticator::{Authenticator, Decided};
use crate::metrics::{MALFORMED_REQUEST, Metrics};
use crate::server::connections::Respond;
use crate::server::{decision_log, health};

/// A TokenReview is little more than its token.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// The API server sends the body with the headers.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// Answers requests.
pub(super) struct Webhook {
    authenticator: Authenticator,
    metrics: Arc<Metrics>,
}

impl Webhook {
    pub(super) fn new(authenticator: Authenticator, metrics: Arc<Metrics>) -> Self {
        Self {
            authenticator,
            metrics,
        }
    }

    async fn authenticate(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let login = self.metrics.logins.begin();
        match self.decide(request).await {
            Ok((version, decided)) => {
                decision_log::write(&decided, login.elapsed());
                login.end(decided.decision.metric_result());
                json(review::answer(version, &decided.decision))
            }
            Err(rejection) => {
                login.end(MALFORMED_REQUEST);
                rejection.response()
            }
        }
    }

    async fn decide(
        &self,
        request: Request<Incoming>,
    ) -> Result<(ReviewVersion, Decided), Rejection> {
        if request.method() != Method::POST {
            return Err(Rejection::Method);
        }
        if !is_json(request.headers()) {
            return Err(Rejection::ContentType);
        }
        let body = read(request.into_body()).await?;
        let review =
            TokenReview::parse(&body).map_err(|error| Rejection::Review(error.to_string()))?;
        let decided = self.authenticator.decide(review.token()).await;
        Ok((review.version(), decided))
    }
}

impl Respond for Webhook {
    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match (request.uri().path(), request.method()) {
            ("/authenticate", _) => self.authenticate(request).await,
            ("/healthz", &Method::GET | &Method::HEAD) => Response::new(Full::from("ok")),
            ("/metrics", &Method::GET | &Method::HEAD) => health::metrics(&self.metrics).await,
            _ => Rejection::NotFound.response(),
        }
    }
}

/// A request that is no review.
enum Rejection {
    NotFound,
    Method,
    ContentType,
    TooLarge,
    TooSlow,
    BrokenOff,
    Review(String),
}

impl Rejection {
    /// HTTP status, Kubernetes' name for it, and what to do.
    fn parts(&self) -> (u16, &'static str, &str) {
        match self {
            Self::NotFound => (
                404,
                "NotFound",
                "there is only /authenticate, /healthz and /metrics here",
            ),
            Self::Method => (405, "MethodNotAllowed", "send a POST with a TokenReview"),
            Self::ContentType => (
                415,
                "UnsupportedMediaType",
                "send the TokenReview with the header `Content-Type: application/json`",
            ),
            Self::TooLarge => (
                413,
                "RequestEntityTooLarge",
                "the body is larger than any TokenReview (64 KiB)",
            ),
            Self::TooSlow => (408, "Timeout", "the body did not arrive within 10 s"),
            Self::BrokenOff => (400, "BadRequest", "the body broke off"),
            Self::Review(reason) => (400, "BadRequest", reason),
        }
    }

    fn response(&self) -> Response<Full<Bytes>> {
        let (status, reason, message) = self.parts();
        tracing::warn!(status, "rejected a request: {message}");
        let mut response = json(review::status(status, reason, message));
        if let Self::Method = self {
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}

async fn read(body: Incoming) -> Result<Bytes, Rejection> {
    if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
        return Err(Rejection::TooLarge);
    }
    let reading = Limited::new(body, MAX_BODY_BYTES).collect();
    match tokio::time::timeout(BODY_DEADLINE, reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Rejection::TooLarge),
        Ok(Err(_)) => Err(Rejection::BrokenOff),
        Err(_) => Err(Rejection::TooSlow),
    }
}

/// Go looks at no content type; a request without one passes here too.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return true;
    };
    let essence = value.to_str().unwrap_or_default().split(';').next();
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

fn json(answer: Answer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(answer.body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
