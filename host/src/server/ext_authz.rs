//! Answers to proxies that ask whether a request may pass: Envoy's HTTP `ext_authz`, nginx' `auth_request` and
//! Traefik's `ForwardAuth`.
//!
//! For proxies, status 200 means that the request may pass, and the headers of the response identify the user to
//! services. Only the token of a request matters. Its path, its body, which is not read, and its method do not, except
//! that a CORS preflight may pass without a token.

use std::sync::Arc;

use ack_ram_core::decision::{Decision, Outcome};
use ack_ram_core::gateway::{AdmittedUser, Refusal, contains_token, is_preflight};
use ack_ram_core::secret::Secret;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, InvalidHeaderName,
    InvalidHeaderValue,
};
use hyper::{Method, Request, Response, StatusCode, Uri};

use crate::config;
use crate::metrics::{MALFORMED_REQUEST, Metrics};
use crate::server::connections::{RequestBody, RequestGuard, head};
use crate::server::decisions::Decisions;
use crate::server::line_limiter::{LineLimiter, LineReason};
use crate::server::webhook::note_grant;
use crate::sts::Requester;

const PATH: &str = "/ext-authz";

/// Maximum size of a head. A proxy forwards the URL and the headers of its client, cookies included.
pub(super) const MAX_HEAD: usize = 64 * 1024;

/// Envoy removes the headers named here from the request, after adding the headers for services (Envoy documentation,
/// "External Authorization": `x-envoy-auth-headers-to-remove`). Other proxies ignore this header.
const TO_REMOVE: HeaderName = HeaderName::from_static("x-envoy-auth-headers-to-remove");

/// Headers in which Traefik, Caddy and others forward the method of their client.
const FORWARDED_METHODS: [&str; 2] = ["x-forwarded-method", "x-original-method"];

/// Returns whether `path` is the path for proxies. Envoy appends the path of the original request.
pub(super) fn is_path(path: &str) -> bool {
    path.strip_prefix(PATH)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers proxies.
pub(super) struct ExtAuthz {
    settings: config::ExtAuthzSettings,
    /// Headers that Envoy removes from each request: the token, and alternate spellings of identity headers.
    always_removed: String,
    decisions: Arc<Decisions>,
    metrics: Arc<Metrics>,
    lines: Arc<LineLimiter>,
}

impl ExtAuthz {
    pub(super) fn new(
        settings: config::ExtAuthzSettings,
        decisions: Arc<Decisions>,
        metrics: Arc<Metrics>,
        lines: Arc<LineLimiter>,
    ) -> Self {
        let mut always_removed = settings.token.as_str().to_owned();
        for spelling in settings.gateway.headers.alternate_spellings() {
            always_removed.push(',');
            always_removed.push_str(&spelling);
        }
        Self {
            settings,
            always_removed,
            decisions,
            metrics,
            lines,
        }
    }

    /// Answers a request of a proxy. Envoy puts the URL of its client into the path.
    pub(super) async fn answer(
        &self,
        request: Request<RequestBody>,
        guard: &RequestGuard,
    ) -> Response<Full<Bytes>> {
        if self.is_preflight(&request) {
            return self.answer_preflight(&request);
        }
        let login = self.metrics.logins.begin();
        let token = self.token(request.uri(), request.headers());
        // Headers and body would take memory during the call to STS.
        drop(request);
        let answer = match token {
            Ok(token) => {
                let decision = self
                    .decisions
                    .decide_and_record(&token, Requester::Proxy, login)
                    .await;
                note_grant(guard, &decision);
                self.pass(&decision)
            }
            Err(refusal) => {
                login.end(MALFORMED_REQUEST);
                tracing::debug!("refused a request of a proxy: {}", refusal.message());
                Err(refusal)
            }
        };
        let refused = answer.as_ref().err().map(Refusal::kind);
        self.metrics.ext_authz.count_answer(refused);
        answer.unwrap_or_else(|refusal| refusal_response(&refusal))
    }

    /// Returns whether `request` is a CORS preflight that needs no token. A preflight with a token is a login.
    ///
    /// Only the method of the request itself allows a preflight: Envoy keeps the method of its client, and other
    /// proxies need a setting for that. A client can forge headers, so a header can only prevent a preflight.
    fn is_preflight<B>(&self, request: &Request<B>) -> bool {
        let headers = request.headers();
        let pairs = headers.iter();
        let pairs = pairs.map(|(name, value)| (name.as_str(), value.as_bytes()));
        self.settings.allow_preflight
            && is_preflight(Some(request.method().as_str()), pairs)
            && !headers.contains_key(self.settings.token.as_str())
            && FORWARDED_METHODS.iter().all(|name| {
                let mut methods = headers.get_all(*name).iter();
                methods.all(|method| method == Method::OPTIONS.as_str())
            })
    }

    /// Answers a preflight, which passes without an identity if a service cannot find a user or a token in it.
    fn answer_preflight<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let (uri, headers) = (request.uri(), request.headers());
        let checked = self.check_identity_headers(headers);
        let checked = checked.and_then(|()| self.check_strays(uri, headers));
        let answer = checked.and_then(|()| self.build_grant(&[]).map_err(invalid_header));
        match answer {
            Ok(response) => {
                self.metrics.ext_authz.count_preflight();
                response
            }
            Err(refusal) => {
                self.metrics.ext_authz.count_answer(Some(refusal.kind()));
                tracing::debug!("refused a preflight: {}", refusal.message());
                refusal_response(&refusal)
            }
        }
    }

    /// Returns the token of a request that has exactly one and has no identity headers.
    fn token(&self, uri: &Uri, headers: &HeaderMap) -> Result<Secret, Refusal> {
        self.check_identity_headers(headers)?;
        let token = &self.settings.token;
        let values = headers.get_all(token.as_str());
        let secret = token
            .extract_token(values.iter().map(HeaderValue::as_bytes))
            .map_err(|none| Refusal::from_bearer_error(none, token))?;
        self.check_strays(uri, headers)?;
        Ok(secret)
    }

    /// Refuses a request with identity headers, because it is unknown whether the proxy would remove them.
    fn check_identity_headers(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        let identity = &self.settings.gateway.headers;
        // The next proxy removes headers that `Connection` names, so a service would miss the user or groups.
        let removed_later = headers
            .get_all(CONNECTION)
            .iter()
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .filter_map(|name| std::str::from_utf8(name).ok())
            .map(str::trim);
        let mut names = headers.keys().map(HeaderName::as_str).chain(removed_later);
        if names.any(|name| identity.is_identity_header(name)) {
            return Err(Refusal::identity_header_present(identity));
        }
        Ok(())
    }

    /// Refuses a token outside of its header. Only Envoy can remove other headers on request, and no proxy can remove a
    /// part of a URL.
    fn check_strays(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let token = &self.settings.token;
        let is_stray = |(name, value): (&HeaderName, &HeaderValue)| {
            name.as_str() != token.as_str() && contains_token(value.as_bytes())
        };
        let target = uri.path_and_query().map_or("", |target| target.as_str());
        if contains_token(target.as_bytes()) || headers.iter().any(is_stray) {
            return Err(Refusal::stray_token(token));
        }
        Ok(())
    }

    /// Builds the response to `decision`, if it is a grant that can be passed to services.
    fn pass(&self, decision: &Decision) -> Result<Response<Full<Bytes>>, Refusal> {
        let answer = self.settings.gateway.admit(decision);
        if let (Err(refusal), Outcome::Granted(_)) = (&answer, decision.outcome())
            && !decision.explanation().scrubbed
            && self.lines.admits(LineReason::TurnedAway, None)
        {
            // The log has this login as granted.
            tracing::warn!("refused a request of a proxy: {}", refusal.message());
        }
        let AdmittedUser { headers, .. } = answer?;
        self.build_grant(&headers).map_err(invalid_header)
    }

    fn build_grant(
        &self,
        granted_headers: &[(String, String)],
    ) -> Result<Response<Full<Bytes>>, InvalidHeader> {
        let mut response = Response::new(Full::default());
        let headers = response.headers_mut();
        for (name, value) in granted_headers {
            headers.append(
                HeaderName::from_bytes(name.as_bytes())?,
                HeaderValue::from_bytes(value.as_bytes())?,
            );
        }
        let mut to_remove = self.always_removed.clone();
        // Missing headers are empty, because some proxies otherwise keep the client's header, or a placeholder. Envoy
        // removes them.
        for name in self.settings.gateway.headers.unset(granted_headers) {
            to_remove.push(',');
            to_remove.push_str(&name);
            let name = HeaderName::from_bytes(name.as_bytes())?;
            headers.insert(name, HeaderValue::from_static(""));
        }
        headers.insert(TO_REMOVE, HeaderValue::try_from(to_remove)?);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(response)
    }
}

/// A name or a value that is not a valid header.
struct InvalidHeader;

/// Returns the refusal of a user with an invalid header. The gateway refuses such users before.
fn invalid_header(InvalidHeader: InvalidHeader) -> Refusal {
    Refusal::unavailable("your identity cannot be passed to services; ask an administrator")
}

impl From<InvalidHeaderName> for InvalidHeader {
    fn from(_: InvalidHeaderName) -> Self {
        Self
    }
}

impl From<InvalidHeaderValue> for InvalidHeader {
    fn from(_: InvalidHeaderValue) -> Self {
        Self
    }
}

/// Returns the response to a request whose head is too large. `reason` says by how much.
pub(super) fn refuse_head(reason: &str) -> Response<Full<Bytes>> {
    let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    let problem = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": head::STATUS,
        "detail": reason,
    });
    let mut response = Response::new(Full::from(problem.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static(Refusal::CONTENT_TYPE);
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn refusal_response(refusal: &Refusal) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(refusal.problem()));
    *response.status_mut() =
        StatusCode::from_u16(refusal.kind().status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    for (name, value) in refusal.headers() {
        // A challenge is printable ASCII, and the other values are constants.
        if let Ok(value) = HeaderValue::try_from(value) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_matches_itself_and_subpaths() {
        for (path, is_it) in [
            ("/ext-authz", true),
            ("/ext-authz/", true),
            ("/ext-authz/a/b", true),
            ("/ext-authz//", true),
            ("/ext-authz/../authenticate", true),
            ("/ext-authzx", false),
            ("/ext-authz*", false),
            ("/EXT-AUTHZ", false),
            ("/a/ext-authz", false),
            ("//ext-authz", false),
            ("/", false),
            ("", false),
        ] {
            assert_eq!(is_path(path), is_it, "{path}");
        }
    }
}
