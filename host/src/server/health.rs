//! The health port: plain HTTP, for the probes of the kubelet and for Prometheus.
//!
//! Every host that reaches this machine can read it, so it reveals no mapping.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ack_ram_core::rules::{Backend, BackendRules};
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Request, Response, StatusCode};
use tokio::sync::OwnedSemaphorePermit;

use crate::backends::confirmations::Confirmations;
use crate::backends::live::{BackendNotes, LiveRules};
use crate::metrics::{self, Metrics, MetricsError, OverloadReason};
use crate::server::certificates::Certificates;
use crate::server::connections::{RequestBody, RequestGuard, Responder, head};
use crate::server::line_limiter::{LineLimiter, LineReason};

/// Maximum length of a reason in characters. Reasons may quote files.
const MAX_REASON: usize = 300;

/// Maximum size of a head. Probes and scrapers need far less.
pub(super) const MAX_HEAD: usize = 8 * 1024;

/// Answers probes and scrapers.
pub(super) struct Health {
    pub(super) readiness: Readiness,
    pub(super) metrics: Arc<Metrics>,
    pub(super) lines: Arc<LineLimiter>,
}

impl Responder for Health {
    async fn respond(
        &self,
        request: Request<RequestBody>,
        _: &RequestGuard,
    ) -> Response<Full<Bytes>> {
        let uri = request.uri();
        match uri.path().trim_end_matches('/') {
            "/metrics" => metrics(&self.metrics, None).await,
            "/readyz" => {
                let query = uri.query().unwrap_or_default();
                self.readiness.answer(query.split('&').any(is_verbose))
            }
            // As in the Go version, any path works for a liveness probe.
            _ => Response::new(Full::from("ok")),
        }
    }

    fn max_head(&self, _: &str) -> usize {
        MAX_HEAD
    }

    fn refuse_head(&self, _: &str, reason: &str) -> Response<Full<Bytes>> {
        let status = head::STATUS;
        if self.lines.admits(LineReason::Rejected(status), None) {
            tracing::warn!(status, "rejected a request to the health port: {reason}");
        }
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        plain(status, TEXT, format!("{reason}\n"))
    }
}

/// Returns whether `parameter` is `verbose` or `verbose=...`, as in Kubernetes.
fn is_verbose(parameter: &str) -> bool {
    parameter == "verbose" || parameter.starts_with("verbose=")
}

/// Responds with all metrics. `room` is held until the text is sent, because an HTTP/2 client may send many requests
/// and read no response.
pub(super) async fn metrics(
    metrics: &Metrics,
    room: Option<OwnedSemaphorePermit>,
) -> Response<Full<Bytes>> {
    match metrics.text().await {
        Ok(text) => {
            let text = Bytes::from_owner(MetricsText { text, _room: room });
            plain(StatusCode::OK, metrics::CONTENT_TYPE, text)
        }
        Err(MetricsError::TooManyScrapes) => too_many_scrapes(metrics),
        Err(error @ MetricsError::EncodeFailed(_)) => {
            tracing::error!("{error}");
            let text = "cannot encode the metrics; see the log\n".to_owned();
            plain(StatusCode::INTERNAL_SERVER_ERROR, TEXT, text)
        }
    }
}

/// Responds to a scrape beyond the limit.
pub(super) fn too_many_scrapes(metrics: &Metrics) -> Response<Full<Bytes>> {
    metrics.connections.count_overload(OverloadReason::Scrapes);
    let text = format!("{}\n", MetricsError::TooManyScrapes);
    plain(StatusCode::SERVICE_UNAVAILABLE, TEXT, text)
}

/// A response body that holds its permit until all of it is sent.
struct MetricsText {
    text: String,
    _room: Option<OwnedSemaphorePermit>,
}

impl AsRef<[u8]> for MetricsText {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

/// The readiness of the server: API servers can trust its certificate, and every backend completed its first sync.
/// Later failures of a backend do not make the server unready.
pub(super) struct Readiness {
    pub(super) rules: Arc<LiveRules>,
    pub(super) certificates: Arc<Certificates>,
    /// Whether the server is shutting down.
    pub(super) is_stopping: AtomicBool,
}

impl Readiness {
    /// Marks the server as shutting down, so that it gets no new requests.
    pub(super) fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Responds in the format of Kubernetes' own `/readyz`.
    fn answer(&self, is_verbose: bool) -> Response<Full<Bytes>> {
        // A passing probe does not wait for the lock of a source that changes the rules.
        if !is_verbose && self.is_ready() {
            return plain(StatusCode::OK, TEXT, "ok".to_owned());
        }
        let mut checks = ReadinessCheck::for_certificates(&self.certificates);
        checks.extend(self.rules.inspect(ReadinessCheck::for_backend));
        let confirmations = self.rules.confirmations();
        let backends = self.rules.snapshot();
        let backends = backends.backends().iter().map(BackendRules::backend);
        checks.extend(
            backends.filter_map(|backend| ReadinessCheck::for_confirmation(confirmations, backend)),
        );
        if self.is_stopping.load(Ordering::Relaxed) {
            checks.push(ReadinessCheck::for_stopping());
        }
        let (status, result) = if checks.iter().all(|check| check.is_passed) {
            (StatusCode::OK, "passed")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "failed")
        };
        let mut text = "[+]ping ok\n".to_owned();
        for check in checks {
            // Writing to a string never fails.
            let _ = writeln!(text, "{check}");
        }
        let _ = writeln!(text, "readyz check {result}");
        plain(status, TEXT, text)
    }

    fn is_ready(&self) -> bool {
        let rules = self.rules.snapshot();
        !self.is_stopping.load(Ordering::Relaxed)
            && self.certificates.are_valid()
            && rules.backends().iter().all(BackendRules::is_synced)
    }
}

/// One check of `/readyz`.
struct ReadinessCheck {
    name: String,
    is_passed: bool,
    /// What is wrong, if anything, or the age of the last confirmation.
    trouble: Option<String>,
}

impl ReadinessCheck {
    /// Invalid certificates of clients do not fail the check, because other clients may have valid ones.
    fn for_certificates(certificates: &Certificates) -> Vec<Self> {
        let check = |name: &str, is_passed, warnings: Vec<String>| Self {
            name: name.to_owned(),
            is_passed,
            trouble: (!warnings.is_empty()).then(|| warnings.join("; ")),
        };
        let own = check(
            "certificate",
            certificates.are_valid(),
            certificates.warnings(),
        );
        let clients = certificates
            .client_warnings()
            .map(|warnings| check("client certificates", true, warnings));
        [own].into_iter().chain(clients).collect()
    }

    /// Kubernetes' own servers use the same name for this check.
    fn for_stopping() -> Self {
        Self {
            name: "shutdown".to_owned(),
            is_passed: false,
            trouble: Some("the server is shutting down".to_owned()),
        }
    }

    /// A stale backend does not fail the check, because identities of other backends can still log in.
    fn for_confirmation(confirmations: &Confirmations, backend: Backend) -> Option<Self> {
        let age = confirmations
            .age(backend)
            .filter(|_| Confirmations::has_limit(backend))?;
        let stale = if confirmations.is_stale(backend) {
            "stale, so the identities that the backend maps get 503: "
        } else {
            ""
        };
        Some(Self {
            name: format!("confirmation of {backend}"),
            is_passed: true,
            trouble: Some(format!("{stale}last confirmed {} s ago", age.as_secs())),
        })
    }

    fn for_backend(rules: &BackendRules, notes: &BackendNotes) -> Self {
        let is_read = rules.is_synced();
        let trouble = match &notes.trouble {
            Some(_) if rules.is_broken() => Some(
                "the document is invalid, so logins that need this backend or a later one get 503; see the log"
                    .to_owned(),
            ),
            Some(_) if notes.is_trouble_confidential => {
                Some("the document is invalid; see the log".to_owned())
            }
            trouble => trouble.as_deref().map(one_line),
        };
        let trouble = match trouble {
            None if !is_read => Some("not synced yet".to_owned()),
            Some(trouble) if is_read && rules.is_empty() => Some(format!("{trouble}; 0 mappings")),
            None if rules.is_empty() => Some("0 mappings".to_owned()),
            trouble => trouble,
        };
        Self {
            name: format!("backend {}", rules.backend()),
            is_passed: is_read,
            trouble,
        }
    }
}

impl fmt::Display for ReadinessCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, result) = if self.is_passed {
            ('+', "ok")
        } else {
            ('-', "failed")
        };
        write!(f, "[{sign}]{} {result}", self.name)?;
        match &self.trouble {
            Some(trouble) => write!(f, ": {trouble}"),
            None => Ok(()),
        }
    }
}

/// Shortens `trouble` and replaces control characters with spaces.
fn one_line(trouble: &str) -> String {
    let visible = |character: char| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    };
    trouble.chars().take(MAX_REASON).map(visible).collect()
}

fn plain(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests;
