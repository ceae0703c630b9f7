//! `RAMIdentityMapping` objects, written to the API server as fast as possible.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ack_ram_tests::cluster::Cluster;
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
use serde_json::{Value, json};
use tokio::task::JoinSet;

const PATH: &str = "/apis/ramauthenticator.k8s.alibabacloud/v1alpha1/ramidentitymappings";
/// Number of concurrent requests, enough to keep the API server busy.
const CONCURRENT_REQUESTS: usize = 32;
const JSON: &str = "application/json";
const PAGE: usize = 500;

/// One object.
pub struct Mapping {
    pub name: String,
    pub arn: String,
    pub username: String,
    pub groups: Vec<String>,
}

impl Mapping {
    pub async fn create(&self, api: &Api) {
        let object = json!({
            "apiVersion": "ramauthenticator.k8s.alibabacloud/v1alpha1",
            "kind": "RAMIdentityMapping",
            "metadata": { "name": self.name },
            "spec": { "arn": self.arn, "username": self.username, "groups": self.groups },
        });
        let object = object.to_string();
        api.send(Method::POST, PATH, JSON, object).await;
    }
}

/// A client of the API server, as a member of `system:masters`, whose requests the API server never delays. Connections
/// are reused.
#[derive(Clone)]
pub struct Api {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: String,
    authorization: String,
}

impl Api {
    pub fn connect(cluster: &Cluster) -> Self {
        let kubeconfig = fs::read_to_string(cluster.admin_kubeconfig()).unwrap();
        let kubeconfig: Value = serde_json::from_str(&kubeconfig).unwrap();
        let ca = kubeconfig["clusters"][0]["cluster"]["certificate-authority"].as_str();
        let token = kubeconfig["users"][0]["user"]["token"].as_str();
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca.unwrap()).unwrap() {
            // The file also has the server's own certificate, which is not a CA certificate.
            let _ = roots.add(certificate.unwrap());
        }
        let tls = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only()
            .enable_http1()
            .build();
        Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            url: cluster.url().to_owned(),
            authorization: format!("Bearer {}", token.unwrap()),
        }
    }

    async fn send(&self, method: Method, path: &str, kind: &str, body: String) -> String {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header(AUTHORIZATION, &self.authorization)
            .header(CONTENT_TYPE, kind)
            .body(Bytes::from(body).into())
            .unwrap();
        let (head, body) = self.client.request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(head.status.is_success(), "{path}: {body}");
        body
    }

    async fn get(&self, path: &str) -> String {
        self.send(Method::GET, path, JSON, String::new()).await
    }
}

/// Creates the objects `make(0)` to `make(count - 1)` with concurrent requests.
pub async fn create_all(api: &Api, count: usize, make: fn(usize) -> Mapping) {
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..CONCURRENT_REQUESTS {
        let (api, next) = (api.clone(), Arc::clone(&next));
        workers.spawn(async move {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= count {
                    break;
                }
                make(index).create(&api).await;
            }
        });
    }
    while let Some(result) = workers.join_next().await {
        result.unwrap();
    }
}

/// Merges `patch` into the object `name` (RFC 7386).
pub async fn merge(api: &Api, name: &str, patch: &Value) {
    let path = format!("{PATH}/{name}");
    let kind = "application/merge-patch+json";
    let patch = patch.to_string();
    api.send(Method::PATCH, &path, kind, patch).await;
}

pub async fn delete(api: &Api, name: &str) {
    let path = format!("{PATH}/{name}");
    api.send(Method::DELETE, &path, JSON, String::new()).await;
}

/// Returns the number of objects, and the number of those whose status says that they are in effect as written.
pub async fn count(api: &Api) -> (usize, usize) {
    let (mut all, mut accepted) = (0, 0);
    let mut next = String::new();
    loop {
        let path = format!("{PATH}?limit={PAGE}&continue={next}");
        let list = api.get(&path).await;
        let list: Value = serde_json::from_str(&list).unwrap();
        let items = list["items"].as_array().unwrap();
        all += items.len();
        accepted += items.iter().filter(|object| is_accepted(object)).count();
        next = list["metadata"]["continue"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        if next.is_empty() {
            return (all, accepted);
        }
    }
}

fn is_accepted(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    object["status"]["observedGeneration"] == object["metadata"]["generation"]
        && conditions
            .into_iter()
            .flatten()
            .any(|condition| condition["type"] == "Accepted" && condition["status"] == "True")
}

/// Returns the number of status writes, as counted by the API server.
pub async fn status_writes(api: &Api) -> f64 {
    let metrics = api.get("/metrics").await;
    let wanted = [
        "apiserver_request_total{",
        "resource=\"ramidentitymappings\"",
        "subresource=\"status\"",
        "code=\"200\"",
    ];
    let counts = metrics.lines().filter_map(|line| {
        let is_wanted = wanted.iter().all(|part| line.contains(part));
        let (_, value) = line.rsplit_once(' ')?;
        is_wanted.then(|| value.parse::<f64>().unwrap())
    });
    counts.sum()
}
