//! An emulator of the OAuth service of a site, which renews tokens and exchanges them for keys.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use ack_ram_core::time::UnixTime;
use hyper::{Method, StatusCode};
use parking_lot::Mutex;
use serde_json::json;
use tokio_rustls::TlsAcceptor;

use crate::http_service::{HttpService, ServiceCall, ServiceReply};
use crate::sts::{KeyIssuer, StsClock};

/// The path at which a refresh token is exchanged for new tokens.
pub const TOKEN_PATH: &str = "/v1/token";
/// The path at which an access token is exchanged for a key.
pub const EXCHANGE_PATH: &str = "/v1/exchange";

const REQUEST_ID: &str = "00000000-0000-4000-8000-0000000A0714";

/// A running service, at which one person is signed in or not.
#[derive(Debug)]
pub struct OAuth {
    /// The server, with its requests and faults.
    pub http: HttpService,
    state: Arc<Mutex<OAuthState>>,
}

/// The tokens of a signed-in person.
#[derive(Clone, Debug)]
pub struct OAuthTokens {
    /// The access token.
    pub access_token: String,
    /// When the access token expires.
    pub expires: UnixTime,
    /// The refresh token, which is good for one use.
    pub refresh_token: String,
}

#[derive(Debug)]
struct OAuthState {
    client_id: &'static str,
    issuer: KeyIssuer,
    clock: StsClock,
    access_seconds: i64,
    /// The end of each access token.
    access_tokens: BTreeMap<String, UnixTime>,
    /// The refresh token that has not been used; `None` if the person is not signed in.
    refresh_token: Option<String>,
    count: u64,
}

impl OAuth {
    /// Starts a service whose only client is `client_id`.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn start(
        client_id: &'static str,
        issuer: KeyIssuer,
        tls: Option<TlsAcceptor>,
    ) -> io::Result<Self> {
        let state = Arc::new(Mutex::new(OAuthState {
            client_id,
            clock: issuer.clock(),
            issuer,
            access_seconds: 3600,
            access_tokens: BTreeMap::new(),
            refresh_token: None,
            count: 0,
        }));
        let shared = Arc::clone(&state);
        let http = HttpService::start("oauth", tls, move |call| shared.lock().answer(call))?;
        Ok(Self { http, state })
    }

    /// Signs the person in. Tokens from earlier are not valid any more.
    #[must_use]
    pub fn sign_in(&self) -> OAuthTokens {
        let mut state = self.state.lock();
        state.access_tokens.clear();
        state.issue_tokens()
    }

    /// Signs the person out: no token is valid any more.
    pub fn sign_out(&self) {
        let mut state = self.state.lock();
        state.access_tokens.clear();
        state.refresh_token = None;
    }

    /// Sets the lifetime of access tokens from now on.
    pub fn set_access_seconds(&self, seconds: i64) {
        self.state.lock().access_seconds = seconds;
    }

    /// Returns the refresh token that has not been used; `None` if the person is not signed in.
    #[must_use]
    pub fn refresh_token(&self) -> Option<String> {
        self.state.lock().refresh_token.clone()
    }

    /// Returns the number of requests for new tokens.
    #[must_use]
    pub fn refreshes(&self) -> usize {
        self.http.count(TOKEN_PATH)
    }

    /// Returns the number of requests for a key.
    #[must_use]
    pub fn exchanges(&self) -> usize {
        self.http.count(EXCHANGE_PATH)
    }
}

impl OAuthState {
    fn issue_tokens(&mut self) -> OAuthTokens {
        self.count += 1;
        let tokens = OAuthTokens {
            // Real tokens contain characters that a form has to escape.
            access_token: format!("OAuthFakeAccess+{:04}/=", self.count),
            expires: self.clock.now().plus_seconds(self.access_seconds),
            refresh_token: format!("OAuthFakeRefresh+{:04}/=", self.count),
        };
        self.access_tokens
            .insert(tokens.access_token.clone(), tokens.expires);
        self.refresh_token = Some(tokens.refresh_token.clone());
        tokens
    }

    fn answer(&mut self, call: &ServiceCall) -> ServiceReply {
        match (&call.method, &*call.path) {
            (&Method::POST, TOKEN_PATH) => self.renew(call),
            (&Method::POST, EXCHANGE_PATH) => self.exchange(call),
            (_, TOKEN_PATH | EXCHANGE_PATH) => {
                refuse(StatusCode::METHOD_NOT_ALLOWED, "invalid_request")
            }
            _ => refuse(StatusCode::NOT_FOUND, "not_found"),
        }
    }

    fn renew(&mut self, call: &ServiceCall) -> ServiceReply {
        let bad = |code| refuse(StatusCode::BAD_REQUEST, code);
        if !call.has_media_type("application/x-www-form-urlencoded") || !call.query.is_empty() {
            return bad("invalid_request");
        }
        let form: BTreeMap<_, _> = form_urlencoded::parse(&call.body).into_owned().collect();
        let field = |name: &str| form.get(name).map(String::as_str);
        if field("grant_type") != Some("refresh_token") {
            return bad("unsupported_grant_type");
        }
        if field("client_id") != Some(self.client_id) {
            return refuse(StatusCode::UNAUTHORIZED, "invalid_client");
        }
        if self.refresh_token.is_none() || field("refresh_token") != self.refresh_token.as_deref() {
            return bad("invalid_grant");
        }
        let tokens = self.issue_tokens();
        let body = json!({
            "access_token": tokens.access_token,
            "refresh_token": tokens.refresh_token,
            "expires_in": self.access_seconds,
            "token_type": "Bearer",
        });
        ServiceReply::json(StatusCode::OK, &body)
    }

    fn exchange(&self, call: &ServiceCall) -> ServiceReply {
        if !call.has_media_type("application/json") || !call.body.is_empty() {
            return refuse(StatusCode::BAD_REQUEST, "invalid_request");
        }
        let end = call
            .bearer_token()
            .and_then(|token| self.access_tokens.get(token));
        if end.is_none_or(|end| *end <= self.clock.now()) {
            return refuse(StatusCode::UNAUTHORIZED, "invalid_token");
        }
        let key = self.issuer.issue();
        let body = json!({
            "accessKeyId": key.key.id,
            "accessKeySecret": key.key.secret.expose(),
            "securityToken": key.security_token(),
            "expiration": key.expires,
            "requestId": REQUEST_ID,
        });
        ServiceReply::json(StatusCode::OK, &body)
    }
}

fn refuse(status: StatusCode, error: &str) -> ServiceReply {
    let body = json!({
        "error": error,
        "error_description": "The request was refused.",
        "requestId": REQUEST_ID,
    });
    ServiceReply::json(status, &body)
}

#[cfg(test)]
mod tests;
