//! An emulator of a service behind `ALIBABA_CLOUD_CREDENTIALS_URI`: a URL that returns a key.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::{Method, StatusCode};
use tokio_rustls::TlsAcceptor;

use crate::http_service::{HttpService, ServiceCall, ServiceReply};
use crate::sts::KeyIssuer;

const PATH: &str = "/credentials";
const QUERY: &str = "for=tests";

/// A running service. Every request gets a new key.
#[derive(Debug)]
pub struct KeyUrl {
    /// The server, with its requests and faults.
    pub http: HttpService,
    issuer: KeyIssuer,
    user: Option<&'static str>,
}

impl KeyUrl {
    /// Starts a service that returns the keys of `issuer`.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn start(issuer: KeyIssuer) -> io::Result<Self> {
        Self::start_with(issuer, None, None)
    }

    /// Starts a service with HTTPS.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn start_with_tls(issuer: KeyIssuer, tls: TlsAcceptor) -> io::Result<Self> {
        Self::start_with(issuer, None, Some(tls))
    }

    /// Starts a service that requires a user and password: `<user>:<password>`.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn start_for(user: &'static str, issuer: KeyIssuer) -> io::Result<Self> {
        Self::start_with(issuer, Some(user), None)
    }

    fn start_with(
        issuer: KeyIssuer,
        user: Option<&'static str>,
        tls: Option<TlsAcceptor>,
    ) -> io::Result<Self> {
        let authorization = user.map(|user| format!("Basic {}", STANDARD.encode(user)));
        let keys = issuer.clone();
        let http = HttpService::start("key-url", tls, move |call| {
            answer(call, &keys, authorization.as_deref())
        })?;
        Ok(Self { http, issuer, user })
    }

    /// Returns the issuer of the keys.
    #[must_use]
    pub fn issuer(&self) -> &KeyIssuer {
        &self.issuer
    }

    /// Returns the URL of a key.
    #[must_use]
    pub fn url(&self) -> String {
        let user = self.user.map_or(String::new(), |user| format!("{user}@"));
        let base = self.http.url().replace("://", &format!("://{user}"));
        format!("{base}{PATH}?{QUERY}")
    }

    /// Returns the number of requests for a key.
    #[must_use]
    pub fn key_requests(&self) -> usize {
        self.http.count(PATH)
    }
}

fn answer(call: &ServiceCall, issuer: &KeyIssuer, authorization: Option<&str>) -> ServiceReply {
    if call.path != PATH || call.query != QUERY {
        return ServiceReply::text(StatusCode::NOT_FOUND, "");
    }
    if call.method != Method::GET {
        return ServiceReply::text(StatusCode::METHOD_NOT_ALLOWED, "");
    }
    if authorization.is_some() && call.header("authorization") != authorization {
        return ServiceReply::text(StatusCode::UNAUTHORIZED, "");
    }
    let mut body = issuer.issue().to_json();
    body["Code"] = "Success".into();
    ServiceReply::json(StatusCode::OK, &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http_service::test_client::call;
    use crate::sts::{Emulator, demo};

    #[tokio::test]
    async fn wrong_requests_are_refused_and_keys_differ() {
        let sts = Emulator::builder().demo().start().unwrap();
        let issuer = sts.key_issuer(demo::session());
        let open = KeyUrl::start(issuer.clone()).unwrap();
        let guarded = KeyUrl::start_for("me:secret", issuer).unwrap();
        let right = ("authorization", "Basic bWU6c2VjcmV0");
        let wrong = ("authorization", "Basic bWU6d3Jvbmc=");
        let line = "GET /credentials?for=tests";
        for (service, line, headers, status) in [
            (&open, line, &[][..], 200),
            (&open, "GET /credentials", &[], 404),
            (&open, "GET /?for=tests", &[], 404),
            (&open, "POST /credentials?for=tests", &[], 405),
            (&guarded, line, &[right], 200),
            (&guarded, line, &[wrong], 401),
            (&guarded, line, &[], 401),
        ] {
            let reply = call(&service.http, line, headers, "").await;
            assert_eq!(reply.status, status, "{line} {headers:?}");
        }
        let first = call(&open.http, line, &[], "").await.json();
        let second = call(&open.http, line, &[], "").await.json();
        assert_eq!(first["Code"], "Success");
        assert_ne!(first["AccessKeyId"], second["AccessKeyId"]);
        assert!(guarded.url().starts_with("http://me:secret@127.0.0.1:"));
    }
}
