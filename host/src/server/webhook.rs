//! The HTTP interface of the webhook. The requests of proxies are handled in `ext_authz.rs`.

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

/// Answers requests to the webhook port.
pub(super) struct Webhook {
    decisions: Arc<Decisions>,
    /// `None` if `/ext-authz` is not enabled.
    ext_authz: Option<ExtAuthz>,
    bodies: BodyReader,
    metrics: Arc<Metrics>,
    lines: Arc<LineLimiter>,
    /// One permit for each metrics response that is not sent completely.
    unread_metrics: Arc<Semaphore>,
}

/// Maximum size of the head of a request from an API server, which needs less than 1 KiB.
const MAX_HEAD: usize = 16 * 1024;

/// Maximum number of unread metrics responses. Without it, HTTP/2 clients could request many of them and read none.
const MAX_UNREAD_METRICS: usize = 64;

impl Webhook {
    /// Returns the maximum size of the head of any request. `answers_proxies` says whether `/ext-authz` is served.
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
        // The body is not read.
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

    /// Checks whether the client that sent `request` gets access.
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
        // Only the token waits for STS, not the whole body.
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

/// Marks the client as granted if `decision` is a grant. Strangers are then evicted before its connection.
pub(super) fn note_grant(guard: &RequestGuard, decision: &Decision) {
    if let Outcome::Granted(_) = decision.outcome() {
        guard.mark_granted();
    }
}

/// Why a request is rejected.
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
    /// Returns the HTTP status, the reason as Kubernetes names it, and a message with what to do.
    fn parts(&self) -> (u16, &'static str, &str) {
        match self {
            Self::Head(reason) => (head::STATUS, "RequestHeaderFieldsTooLarge", reason),
            Self::NotFound => (
                404,
                "NotFound",
                "not found; this port serves /authenticate, /healthz, /metrics and, if `server.extAuthz` enables it, /ext-authz",
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
            Self::Body(BodyError::BrokenOff) => (400, "BadRequest", "the body is incomplete"),
            Self::Body(BodyError::Evicted) => (
                503,
                "ServiceUnavailable",
                "too many request bodies are arriving at the same time, and this one was among the oldest; send the request again",
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

/// Returns whether the content type is JSON or missing. The Go version does not check it.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return true;
    };
    let essence = value.to_str().unwrap_or_default().split(';').next();
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}
