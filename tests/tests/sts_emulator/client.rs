//! A client with full control over the signature and the request, which returns the precise result of a call.

use std::sync::Arc;
use std::time::Duration;

use ack_ram_core::protocol::acs3::{
    Authorization, CanonicalRequest, EMPTY_BODY_SHA256, body_sha256,
};
use ack_ram_core::protocol::{percent, rpc};
use ack_ram_core::secret::Secret;
use ack_ram_core::sign::AccessKey;
use ack_ram_core::time::UnixTime;
use ack_ram_tests::sts::Emulator;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{HOST, HeaderMap};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The deadline of calls that have to end by themselves: much longer than any of them takes.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The maximum size of a body. The client aborts a longer one.
const BODY_LIMIT: usize = 1 << 20;

/// A request that is not sent yet, and that tests can change.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: Method,
    /// The path and the query as they are sent.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Call {
    /// Builds a call of `action` with `form` in the body, signed with ACS3.
    pub fn acs3(action: &str, form: &[(&str, &str)], key: &AccessKey, now: UnixTime) -> Self {
        let body = percent::canonical_query(form);
        let sha256 = body_sha256(body.as_bytes());
        let date = now.to_string();
        let mut headers = vec![
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-acs-action", action),
            ("x-acs-content-sha256", &sha256),
            ("x-acs-date", &date),
        ];
        if let Some(token) = &key.security_token {
            headers.push(("x-acs-security-token", token.expose()));
        }
        headers.push(("x-acs-version", "2015-04-01"));
        Self::acs3_covering(&headers, &body, key)
    }

    /// Builds a call of `action` with `query` in the query and an empty body, signed with ACS3, as the SDK's client of
    /// STS sends it.
    pub fn acs3_in_query(
        action: &str,
        query: &[(&str, &str)],
        key: &AccessKey,
        nonce: &str,
        now: UnixTime,
    ) -> Self {
        let date = now.to_string();
        let mut headers = vec![
            ("host", "sts.aliyuncs.com"),
            ("x-acs-action", action),
            ("x-acs-content-sha256", EMPTY_BODY_SHA256),
            ("x-acs-date", &date),
        ];
        if let Some(token) = &key.security_token {
            headers.push(("x-acs-security-token", token.expose()));
        }
        headers.push(("x-acs-signature-nonce", nonce));
        headers.push(("x-acs-version", "2015-04-01"));
        let mut call = Self::acs3_covering_all(query, &headers, "", key);
        call.target = format!("/?{}", percent::canonical_query(query));
        // The connection adds the host.
        call.without_header("host")
    }

    /// Builds a POST of `body`, signed with ACS3 over only these headers.
    pub fn acs3_covering(headers: &[(&str, &str)], body: &str, key: &AccessKey) -> Self {
        Self::acs3_covering_all(&[], headers, body, key)
    }

    fn acs3_covering_all(
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        body: &str,
        key: &AccessKey,
    ) -> Self {
        let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        let signature = CanonicalRequest {
            method: "POST",
            path: "/",
            query,
            headers,
            body_sha256: &body_sha256(body.as_bytes()),
        }
        .sign(&key.secret)
        .unwrap();
        let authorization = Authorization {
            access_key_id: key.id.clone(),
            signed_headers: &names.join(";"),
            signature,
        }
        .to_header();
        let mut call = Self {
            method: Method::POST,
            target: "/".to_owned(),
            headers: Vec::new(),
            body: body.to_owned(),
        };
        for (name, value) in headers {
            call = call.header(name, value);
        }
        call.header("authorization", authorization.expose())
    }

    /// Builds a call of `action` with `parameters` in the query, signed with RPC. Token v1 is such a call with `GET`.
    pub fn rpc(
        method: Method,
        action: &str,
        parameters: &[(&str, &str)],
        key: &AccessKey,
        nonce: &str,
        now: UnixTime,
    ) -> Self {
        let date = now.to_string();
        let mut all = vec![
            ("AccessKeyId", key.id.as_str()),
            ("Action", action),
            ("Format", "JSON"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", nonce),
            ("SignatureVersion", "1.0"),
            ("Timestamp", &date),
            ("Version", "2015-04-01"),
        ];
        all.extend(
            key.security_token
                .as_ref()
                .map(|token| ("SecurityToken", token.expose())),
        );
        all.extend_from_slice(parameters);
        let signature = rpc::sign(method.as_str(), &all, &key.secret).unwrap();
        all.push(("Signature", &signature));
        Self {
            method,
            target: format!("/?{}", percent::canonical_query(&all)),
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// Sets a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self = self.without_header(name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self
    }

    /// Replaces text in the target.
    pub fn target(mut self, from: &str, to: &str) -> Self {
        assert!(self.target.contains(from), "no `{from}` in {}", self.target);
        self.target = self.target.replace(from, to);
        self
    }
}

/// A complete reply.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    /// Returns the body; `Null` if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Returns the text at `field`; empty if there is none.
    pub fn text(&self, field: &str) -> String {
        let json = self.json();
        let value = field.split('.').fold(&json, |json, name| &json[name]);
        value.as_str().unwrap_or_default().to_owned()
    }
}

/// The way in which a call failed without a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Symptom {
    /// The connection was refused.
    Refused,
    /// The TLS handshake failed.
    NoHandshake,
    /// The connection closed, or sent invalid HTTP, before the head of the reply was complete.
    NoHead,
    /// The connection closed before the body was complete.
    BrokenBody,
    /// The body was too long.
    TooLong,
    /// The place at which the deadline passed.
    TimedOut(Place),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Handshake,
    Head,
    Body,
}

/// Sends one call over a new connection, with `deadline` for each step.
pub async fn send(sts: &Emulator, call: &Call, deadline: Duration) -> Result<Reply, Symptom> {
    let mut connection = StsConnection::open(sts, "localhost", deadline).await?;
    connection.send(call, deadline).await
}

/// A kept-alive connection.
pub struct StsConnection(SendRequest<Full<Bytes>>);

impl StsConnection {
    /// Connects, and trusts only a certificate for `name` under the emulator's authority.
    pub async fn open(sts: &Emulator, name: &str, deadline: Duration) -> Result<Self, Symptom> {
        let stream = TcpStream::connect(sts.address())
            .await
            .map_err(|_| Symptom::Refused)?;
        if sts.ca_pem().is_empty() {
            return Self::handshake(stream).await;
        }
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connect = connector(sts.ca_pem()).connect(name, stream);
        let stream = tokio::time::timeout(deadline, connect)
            .await
            .map_err(|_| Symptom::TimedOut(Place::Handshake))?
            .map_err(|_| Symptom::NoHandshake)?;
        Self::handshake(stream).await
    }

    async fn handshake(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Self, Symptom> {
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|_| Symptom::Refused)?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    pub async fn send(&mut self, call: &Call, deadline: Duration) -> Result<Reply, Symptom> {
        self.send_within(call, deadline, deadline).await
    }

    /// Sends `call`. The deadlines are `head` for the head of the reply, and `body` for each part of its body.
    pub async fn send_within(
        &mut self,
        call: &Call,
        head: Duration,
        body: Duration,
    ) -> Result<Reply, Symptom> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(&call.target)
            .header(HOST, "sts.aliyuncs.com");
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::from(call.body.clone())).unwrap();
        self.0.ready().await.map_err(|_| Symptom::Refused)?;
        let response = tokio::time::timeout(head, self.0.send_request(request))
            .await
            .map_err(|_| Symptom::TimedOut(Place::Head))?
            .map_err(|_| Symptom::NoHead)?;

        let (parts, mut incoming) = response.into_parts();
        let mut bytes = Vec::new();
        while let Some(frame) = tokio::time::timeout(body, incoming.frame())
            .await
            .map_err(|_| Symptom::TimedOut(Place::Body))?
        {
            let frame = frame.map_err(|_| Symptom::BrokenBody)?;
            bytes.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new()));
            if bytes.len() > BODY_LIMIT {
                return Err(Symptom::TooLong);
            }
        }
        Ok(Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: bytes.into(),
        })
    }
}

fn connector(ca_pem: &str) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// Returns `key` with another secret.
pub fn with_secret(key: AccessKey, secret: &str) -> AccessKey {
    AccessKey {
        secret: Secret::new(secret),
        ..key
    }
}

/// Returns `key` with another security token, or without one.
pub fn with_token(key: AccessKey, token: Option<&str>) -> AccessKey {
    AccessKey {
        security_token: token.map(Secret::new),
        ..key
    }
}
