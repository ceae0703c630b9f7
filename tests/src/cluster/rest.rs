//! A REST client that sends requests one after the other. It is faster than kubectl and returns replies unchanged.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, Request};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use std::path::Path;
use tokio::runtime::Runtime;

const JSON: &str = "application/json";
const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";

/// A REST client of one server. It keeps its connections: after the server was killed, build a new client.
pub struct Rest {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    runtime: Runtime,
    url: String,
    token: Option<String>,
}

/// The reply of a server.
#[derive(Debug)]
pub struct ApiReply {
    /// The HTTP status.
    pub status: u16,
    /// The body; `null` if it is not JSON.
    pub body: Value,
}

impl Rest {
    /// Builds a client of the server at `url`. Over HTTPS, the server needs a certificate of the CA in `ca_file`.
    pub(super) fn new(url: &str, ca_file: Option<&Path>, token: Option<&str>) -> Self {
        let mut roots = RootCertStore::empty();
        if let Some(path) = ca_file {
            let certificates = CertificateDer::pem_file_iter(path).expect("the CA can be read");
            roots.add_parsable_certificates(certificates.filter_map(Result::ok));
        }
        let tls = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .build();
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            // A worker thread also notices between two requests that the server has closed a connection.
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .expect("a runtime"),
            url: url.to_owned(),
            token: token.map(str::to_owned),
        }
    }

    /// Gets the object at `path`.
    pub fn get(&self, path: &str) -> ApiReply {
        self.send(Method::GET, path, JSON, Bytes::new())
    }

    /// Creates `object` in the collection at `path`.
    pub fn post(&self, path: &str, object: &Value) -> ApiReply {
        self.send(Method::POST, path, JSON, object.to_string().into())
    }

    /// Replaces the object at `path` with `object`.
    pub fn put(&self, path: &str, object: &Value) -> ApiReply {
        self.send(Method::PUT, path, JSON, object.to_string().into())
    }

    /// Merges `patch` into the object at `path` (RFC 7386).
    pub fn merge(&self, path: &str, patch: &Value) -> ApiReply {
        self.send(Method::PATCH, path, MERGE_PATCH, patch.to_string().into())
    }

    /// Applies the JSON patch `operations` to the object at `path` (RFC 6902).
    pub fn patch(&self, path: &str, operations: &Value) -> ApiReply {
        let body = operations.to_string().into();
        self.send(Method::PATCH, path, JSON_PATCH, body)
    }

    /// Deletes the object at `path`.
    pub fn delete(&self, path: &str) -> ApiReply {
        self.send(Method::DELETE, path, JSON, Bytes::new())
    }

    fn send(&self, method: Method, path: &str, kind: &str, body: Bytes) -> ApiReply {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header(CONTENT_TYPE, kind);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(body.into()).expect("a request");
        self.runtime.block_on(async {
            let response = self.client.request(request).await;
            let (head, body) = response
                .unwrap_or_else(|error| panic!("{}{path}: {error:?}", self.url))
                .into_parts();
            let body = body.collect().await.expect("a complete reply").to_bytes();
            ApiReply {
                status: head.status.as_u16(),
                body: serde_json::from_slice(&body).unwrap_or_default(),
            }
        })
    }
}

impl ApiReply {
    /// Returns the body of the reply to a request that must succeed.
    ///
    /// # Panics
    /// If the request failed.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!(
            (200..300).contains(&self.status),
            "{}: {}",
            self.status,
            self.body
        );
        self.body
    }

    /// Returns the `message` of a Kubernetes `Status`; empty if there is none.
    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}
