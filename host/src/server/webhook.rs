//! The HTTP side of the webhook: which requests are answered, and how. What proxies ask is in `ext_authz.rs`.

use std::sync::Arc;

use ack_ram_core::decision::{Decision, Outcome};
use ack_ram_core::review::{self, TokenReview};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response};
use tokio::sync::Semaphore;

use crate::certs::ClientRefusal;
use crate::metrics::{MALFORMED_REQUEST, Metrics, OverloadReason};
use crate::server::bodies::{BodyError, BodyReader};
use crate::server::certificates::ClientAdmission;
use crate::server::connections::{RequestBody, RequestGuard, Responder, head};
use crate::server::decisions::Decisions;
use crate::server::ext_authz::{self, ExtAuthz};
use crate::server::line_limiter::{LineLimiter, LineReason};
use crate::server::{health, status};
use crate::sts::Requester;

/// Answers requests.
pub(super) struct Webhook {
    decisions: Arc<Decisions>,
    /// None when proxies may not ask.
    ext_authz: Option<ExtAuthz>,
    bodies: BodyReader,
    metrics: Arc<Metrics>,
    lines: Arc<LineLimiter>,
    /// Room for metrics that are not read yet.
    unread_metrics: Arc<Semaphore>,
}

/// URL and headers of an API server's request have less than one of these.
const MAX_HEAD: usize = 16 * 1024;

/// A hundred clients of HTTP/2 could ask for them ten thousand times, and read nothing.
const MAX_UNREAD_METRICS: usize = 64;

impl Webhook {
    /// Returns how large the head of any request may be; `answers_proxies` if `/ext-authz` is served.
    pub(super) fn largest_head(answers_proxies: bool) -> usize {
        if answers_proxies {
            ext_authz::MAX_HEAD
        } else {
            MAX_HEAD
        }
    }

    pub(super) fn new(
        decisions: Arc<Decisions>,
        ext_authz: Option<ExtAuthz>,
        bodies: BodyReader,
        metrics: Arc<Metrics>,
        lines: Arc<LineLimiter>,
    ) -> Self {
        Self {
            decisions,
            ext_authz,
            bodies,
            metrics,
            lines,
            unread_metrics: Arc::new(Semaphore::new(MAX_UNREAD_METRICS)),
        }
    }

    async fn serve_metrics(&self) -> Response<Full<Bytes>> {
        match Arc::clone(&self.unread_metrics).try_acquire_owned() {
            Ok(room) => health::metrics(&self.metrics, Some(room)).await,
            Err(_) => health::too_many_scrapes(&self.metrics),
        }
    }

    async fn authenticate(
        &self,
        request: Request<RequestBody>,
        guard: &RequestGuard,
    ) -> Response<Full<Bytes>> {
        if let Err(rejection) = self.admit(&request) {
            return self.reject(&rejection);
        }
        let login = self.metrics.logins.begin();
        match self.review(request, guard).await {
            Ok(review) => {
                let decision = self
                    .decisions
                    .decide_and_record(review.token(), Requester::ApiServer, login)
                    .await;
                note_grant(guard, &decision);
                status::json(review::render_decision(review.version(), &decision))
            }
            Err(rejection) => {
                login.end(MALFORMED_REQUEST);
                if let Rejection::Body(BodyError::Evicted) = rejection {
                    self.metrics
                        .connections
                        .count_overload(OverloadReason::Bodies);
                }
                self.reject(&rejection)
            }
        }
    }

    async fn authorize(
        &self,
        request: Request<RequestBody>,
        guard: &RequestGuard,
    ) -> Response<Full<Bytes>> {
        // Nobody waits for the body.
        guard.mark_received();
        let Some(ext_authz) = &self.ext_authz else {
            return self.reject(&Rejection::NotFound);
        };
        match self.admit(&request) {
            Ok(()) => ext_authz.answer(request, guard).await,
            Err(rejection) => self.reject(&rejection),
        }
    }

    fn reject(&self, rejection: &Rejection) -> Response<Full<Bytes>> {
        self.log(rejection);
        rejection.response()
    }

    fn log(&self, rejection: &Rejection) {
        let (status, _, message) = rejection.parts();
        if self.lines.admits(LineReason::Rejected(status), None) {
            tracing::warn!(status, "rejected a request: {message}");
        }
    }

    /// Whether whoever sent `request` may ask.
    fn admit(&self, request: &Request<RequestBody>) -> Result<(), Rejection> {
        ClientAdmission::for_request(request).map_err(|why| {
            self.metrics.certificates.count_refusal(why);
            Rejection::Client(why)
        })
    }

    async fn review(
        &self,
        request: Request<RequestBody>,
        guard: &RequestGuard,
    ) -> Result<TokenReview, Rejection> {
        if request.method() != Method::POST {
            return Err(Rejection::Method);
        }
        if !is_json(request.headers()) {
            return Err(Rejection::ContentType);
        }
        let body = self.bodies.read(request.into_body(), guard);
        let body = body.await.map_err(Rejection::Body)?;
        guard.mark_received();
        // What waits for STS is its token, not all of its body.
        TokenReview::parse(&body).map_err(|error| Rejection::Review(error.to_string()))
    }
}

impl Responder for Webhook {
    async fn respond(
        &self,
        request: Request<RequestBody>,
        guard: &RequestGuard,
    ) -> Response<Full<Bytes>> {
        match (request.uri().path(), request.method()) {
            ("/authenticate", _) => self.authenticate(request, guard).await,
            (path, _) if ext_authz::is_path(path) => self.authorize(request, guard).await,
            ("/healthz", &Method::GET | &Method::HEAD) => Response::new(Full::from("ok")),
            ("/metrics", &Method::GET | &Method::HEAD) => self.serve_metrics().await,
            _ => self.reject(&Rejection::NotFound),
        }
    }

    fn max_head(&self, path: &str) -> usize {
        match &self.ext_authz {
            Some(_) if ext_authz::is_path(path) => ext_authz::MAX_HEAD,
            _ => MAX_HEAD,
        }
    }

    fn refuse_head(&self, path: &str, reason: &str) -> Response<Full<Bytes>> {
        let rejection = Rejection::Head(reason.to_owned());
        match &self.ext_authz {
            Some(_) if ext_authz::is_path(path) => {
                self.log(&rejection);
                ext_authz::refuse_head(reason)
            }
            _ => self.reject(&rejection),
        }
    }
}

/// Marks the client as granted if `decision` is a grant, so that its connection is evicted after those of strangers.
pub(super) fn note_grant(guard: &RequestGuard, decision: &Decision) {
    if let Outcome::Granted(_) = decision.outcome() {
        guard.mark_granted();
    }
}

/// A request that is no review.
enum Rejection {
    Head(String),
    NotFound,
    Client(ClientRefusal),
    Method,
    ContentType,
    Body(BodyError),
    Review(String),
}

impl Rejection {
    /// HTTP status, Kubernetes' name for it, and what to do.
    fn parts(&self) -> (u16, &'static str, &str) {
        match self {
            Self::Head(reason) => (head::STATUS, "RequestHeaderFieldsTooLarge", reason),
            Self::NotFound => (
                404,
                "NotFound",
                "there is only /authenticate, /healthz, /metrics and, if `server.extAuthz` enables it, /ext-authz here",
            ),
            Self::Client(why @ ClientRefusal::Missing) => (401, "Unauthorized", why.message()),
            Self::Client(why) => (403, "Forbidden", why.message()),
            Self::Method => (405, "MethodNotAllowed", "send a POST with a TokenReview"),
            Self::ContentType => (
                415,
                "UnsupportedMediaType",
                "send the TokenReview with the header `Content-Type: application/json`",
            ),
            Self::Body(BodyError::TooLarge) => (
                413,
                "RequestEntityTooLarge",
                "the body is larger than any TokenReview (64 KiB)",
            ),
            Self::Body(BodyError::TooSlow) => (
                408,
                "Timeout",
                "the body did not arrive in time; send it with the headers",
            ),
            Self::Body(BodyError::BrokenOff) => (400, "BadRequest", "the body broke off"),
            Self::Body(BodyError::Evicted) => (
                503,
                "ServiceUnavailable",
                "too many bodies are on their way, and this one for longest",
            ),
            Self::Review(reason) => (400, "BadRequest", reason),
        }
    }

    fn response(&self) -> Response<Full<Bytes>> {
        let (code, reason, message) = self.parts();
        let mut response = status::status(code, reason, message);
        if let Self::Method = self {
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("POST"));
        }
        response
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
