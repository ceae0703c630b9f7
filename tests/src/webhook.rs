//! A client of the webhook like kube-apiserver: TLS, pinned to the CA in the state directory of the server.

use std::error::Error;
use std::path::Path;

use ack_ram_core::review::ReviewVersion;
use ack_ram_core::secret::Secret;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::{Method, Request, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};

use crate::exposition::Exposition;

/// A client of one webhook.
#[derive(Clone)]
pub struct WebhookClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    port: u16,
}

/// A reply of the webhook.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; `null` if it is not JSON.
    pub body: Value,
    /// The body in bytes.
    pub bytes: Bytes,
}

impl Reply {
    /// Returns whether the review was granted.
    #[must_use]
    pub fn is_granted(&self) -> bool {
        self.status == StatusCode::OK && self.body["status"]["authenticated"] == true
    }
}

impl WebhookClient {
    /// Builds a client of the webhook on `port` of this machine, which trusts only the CA in `ca_file`.
    ///
    /// # Errors
    /// If `ca_file` contains no certificate.
    pub fn new(ca_file: &Path, port: u16) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self::with_tls(trusting(ca_file)?, port))
    }

    /// Builds a client as [`Self::new`] does, with a client certificate and its key in PEM.
    ///
    /// # Errors
    /// If `ca_file`, `certificate` or `key` is malformed.
    pub fn with_certificate(
        ca_file: &Path,
        port: u16,
        certificate: &[u8],
        key: &[u8],
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<_, _>>()?;
        let tls = ClientConfig::builder()
            .with_root_certificates(roots(ca_file)?)
            .with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key)?)?;
        Ok(Self::with_tls(tls, port))
    }

    fn with_tls(tls: ClientConfig, port: u16) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        // Go does the same. Otherwise, the body of a request may wait 40 ms for the acknowledgement of its head.
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only()
            .enable_all_versions()
            .wrap_connector(tcp);
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            port,
        }
    }

    /// Sends a review of `token`.
    ///
    /// # Errors
    /// If there is no HTTP reply.
    pub async fn review(&self, token: &Secret) -> Result<Reply, Box<dyn Error + Send + Sync>> {
        let review = token_review(ReviewVersion::V1, token).to_string();
        let request = self
            .request(Method::POST, "/authenticate")
            .header(CONTENT_TYPE, "application/json")
            .body(review.into())?;
        self.send(request).await
    }

    /// Returns the metrics of the server.
    ///
    /// # Panics
    /// If the server does not reply with metrics.
    pub async fn metrics(&self) -> Exposition {
        let request = self.request(Method::GET, "/metrics").body(Full::default());
        let reply = self.send(request.expect("a request")).await;
        let reply = reply.unwrap_or_else(|error| panic!("{error:?}"));
        let text = String::from_utf8_lossy(&reply.bytes);
        Exposition::parse(&text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
    }

    /// Returns a builder of a request for [`Self::send`].
    #[must_use]
    pub fn request(&self, method: Method, path: &str) -> hyper::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("https://localhost:{}{path}", self.port))
    }

    /// Sends a request.
    ///
    /// # Errors
    /// If there is no HTTP reply.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Reply, Box<dyn Error + Send + Sync>> {
        let (head, body) = self.client.request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            body: serde_json::from_slice(&body).unwrap_or_default(),
            bytes: body,
        })
    }
}

fn roots(ca_file: &Path) -> Result<RootCertStore, Box<dyn Error + Send + Sync>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca_file)?)?;
    Ok(roots)
}

/// Returns a TLS configuration that trusts only the CA in `ca_file`.
///
/// # Errors
/// If `ca_file` contains no certificate.
pub fn trusting(ca_file: &Path) -> Result<ClientConfig, Box<dyn Error + Send + Sync>> {
    Ok(ClientConfig::builder()
        .with_root_certificates(roots(ca_file)?)
        .with_no_client_auth())
}

/// Builds the TokenReview of `token`.
#[must_use]
pub fn token_review(version: ReviewVersion, token: &Secret) -> Value {
    json!({
        "apiVersion": version.api_version(),
        "kind": "TokenReview",
        "spec": { "token": token.expose() },
    })
}
