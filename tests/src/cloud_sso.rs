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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http_service::test_client::call;
    use crate::sts::{Emulator, demo};

    const BODY: &str = r#"{"AccountId":"1","AccessConfigurationId":"ac-1"}"#;

    #[tokio::test]
    async fn wrong_requests_are_refused() {
        let sts = Emulator::builder().demo().start().unwrap();
        let assignment = Assignment {
            account_id: "1",
            access_configuration_id: "ac-1",
            issuer: sts.key_issuer(demo::session()),
        };
        let service = CloudSso::start(sts.clock(), vec![assignment], None).unwrap();
        let (token, expires) = service.sign_in(600);
        let bearer = format!("Bearer {token}");
        let json = ("content-type", "application/json");
        let signed_in = ("authorization", &*bearer);
        let post = "POST /cloud-credentials";
        let check = async |line: &str, headers: &[_], body: &str, status, code: &str| {
            let reply = call(&service.http, line, headers, body).await;
            let found = reply.json()["ErrorCode"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            assert_eq!(
                (reply.status, &*found),
                (status, code),
                "{line} {headers:?} {body}"
            );
            reply.json()
        };
        for (line, headers, body, status, code) in [
            (
                "GET /cloud-credentials",
                &[signed_in, json][..],
                BODY,
                404,
                "InvalidAction.NotFound",
            ),
            (
                "POST /",
                &[signed_in, json],
                BODY,
                404,
                "InvalidAction.NotFound",
            ),
            (post, &[json], BODY, 401, "InvalidAccessToken"),
            (
                post,
                &[("authorization", "Bearer x"), json],
                BODY,
                401,
                "InvalidAccessToken",
            ),
            (
                post,
                &[("authorization", &*token), json],
                BODY,
                401,
                "InvalidAccessToken",
            ),
            (post, &[signed_in], BODY, 400, "InvalidParameter"),
            (post, &[signed_in, json], "", 400, "InvalidParameter"),
            (
                post,
                &[signed_in, json],
                r#"{"AccountId":"1"}"#,
                400,
                "InvalidParameter",
            ),
            (
                post,
                &[signed_in, json],
                &BODY.replace("ac-1", "ac-2"),
                403,
                "NoPermission",
            ),
            (
                post,
                &[signed_in, json],
                &BODY.replace("\"1\"", "\"2\""),
                403,
                "NoPermission",
            ),
        ] {
            check(line, headers, body, status, code).await;
        }
        let reply = check(post, &[signed_in, json], BODY, 200, "").await;
        assert!(reply["CloudCredential"]["SecurityToken"].is_string());
        sts.set_now(expires);
        check(post, &[signed_in, json], BODY, 401, "AccessTokenExpired").await;
        service.sign_out();
        check(post, &[signed_in, json], BODY, 401, "InvalidAccessToken").await;
    }
}
