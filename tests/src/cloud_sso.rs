//! An emulator of the CloudSSO service that issues keys to signed-in people.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use ack_ram_core::time::UnixTime;
use hyper::{Method, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio_rustls::TlsAcceptor;

use crate::http_service::{HttpService, ServiceCall, ServiceReply};
use crate::sts::{KeyIssuer, StsClock};

/// The path of keys.
pub const KEY_PATH: &str = "/cloud-credentials";

/// An access configuration in an account, which the person may use.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The account.
    pub account_id: &'static str,
    /// The access configuration.
    pub access_configuration_id: &'static str,
    /// Issues the keys.
    pub issuer: KeyIssuer,
}

/// A running service.
#[derive(Debug)]
pub struct CloudSso {
    /// The server, with its requests and faults.
    pub http: HttpService,
    state: Arc<Mutex<SignInState>>,
}

#[derive(Debug)]
struct SignInState {
    clock: StsClock,
    assignments: Vec<Assignment>,
    /// The end of each access token.
    access_tokens: BTreeMap<String, UnixTime>,
}

impl CloudSso {
    /// Starts a service for one person with `assignments`.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn start(
        clock: StsClock,
        assignments: Vec<Assignment>,
        tls: Option<TlsAcceptor>,
    ) -> io::Result<Self> {
        let state = Arc::new(Mutex::new(SignInState {
            clock,
            assignments,
            access_tokens: BTreeMap::new(),
        }));
        let shared = Arc::clone(&state);
        let http = HttpService::start("cloud-sso", tls, move |call| shared.lock().answer(call))?;
        Ok(Self { http, state })
    }

    /// Signs the person in. Returns an access token and its end.
    #[must_use]
    pub fn sign_in(&self, seconds: i64) -> (String, UnixTime) {
        let mut state = self.state.lock();
        let token = format!("CloudSsoFakeAccessToken{:04}", state.access_tokens.len());
        let expires = state.clock.now().plus_seconds(seconds);
        state.access_tokens.insert(token.clone(), expires);
        (token, expires)
    }

    /// Signs the person out: no access token is valid any more.
    pub fn sign_out(&self) {
        self.state.lock().access_tokens.clear();
    }

    /// Returns the number of requests for a key.
    #[must_use]
    pub fn key_requests(&self) -> usize {
        self.http.count(KEY_PATH)
    }
}

impl SignInState {
    fn answer(&self, call: &ServiceCall) -> ServiceReply {
        if call.path != KEY_PATH || call.method != Method::POST {
            return refuse(StatusCode::NOT_FOUND, "InvalidAction.NotFound");
        }
        let end = call
            .bearer_token()
            .and_then(|token| self.access_tokens.get(token));
        match end {
            None => return refuse(StatusCode::UNAUTHORIZED, "InvalidAccessToken"),
            Some(end) if *end <= self.clock.now() => {
                return refuse(StatusCode::UNAUTHORIZED, "AccessTokenExpired");
            }
            Some(_) => {}
        }
        let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
        let (account, configuration) = (&body["AccountId"], &body["AccessConfigurationId"]);
        let is_json = call.has_media_type("application/json");
        if !is_json || !account.is_string() || !configuration.is_string() {
            return refuse(StatusCode::BAD_REQUEST, "InvalidParameter");
        }
        let mut assignments = self.assignments.iter();
        let assignment = assignments.find(|assignment| {
            assignment.account_id == account && assignment.access_configuration_id == configuration
        });
        match assignment {
            None => refuse(StatusCode::FORBIDDEN, "NoPermission"),
            Some(assignment) => ServiceReply::json(
                StatusCode::OK,
                &json!({
                    "CloudCredential": assignment.issuer.issue().to_json(),
                    "RequestId": REQUEST_ID,
                }),
            ),
        }
    }
}

const REQUEST_ID: &str = "00000000-0000-4000-8000-0000C10D5500";

fn refuse(status: StatusCode, code: &str) -> ServiceReply {
    let body = json!({
        "ErrorCode": code,
        "ErrorMessage": "The request was refused.",
        "RequestId": REQUEST_ID,
    });
    ServiceReply::json(status, &body)
}
