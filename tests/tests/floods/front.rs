//! The destination of tokens: the webhook, as an API server calls it, or an API server.

use std::sync::atomic::{AtomicUsize, Ordering};

use ack_ram_core::secret::Secret;
use ack_ram_tests::cluster::Cluster;
use ack_ram_tests::webhook::WebhookClient;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

/// Number of clients. Each has a connection, which accepts a limited number of concurrent requests.
const CLIENTS: usize = 32;

/// The destination of tokens.
pub(crate) struct Front {
    clients: Vec<FrontClient>,
    turn: AtomicUsize,
}

enum FrontClient {
    Webhook(WebhookClient),
    ApiServer {
        client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
        url: String,
    },
}

impl Front {
    pub(crate) fn of_webhook(client: impl Fn() -> WebhookClient) -> Self {
        let clients = (0..CLIENTS).map(|_| FrontClient::Webhook(client()));
        Self {
            clients: clients.collect(),
            turn: AtomicUsize::new(0),
        }
    }

    pub(crate) fn of_cluster(cluster: &Cluster) -> Self {
        let kubeconfig = cluster.write_token_kubeconfig("nobody", "none");
        let kubeconfig = std::fs::read(kubeconfig).unwrap();
        let kubeconfig: Value = serde_json::from_slice(&kubeconfig).unwrap();
        let ca = &kubeconfig["clusters"][0]["cluster"]["certificate-authority"];
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_file_iter(ca.as_str().unwrap()).unwrap();
        roots.add_parsable_certificates(certificates.map(Result::unwrap));
        let clients = (0..CLIENTS).map(|_| {
            let tls = ClientConfig::builder()
                .with_root_certificates(roots.clone())
                .with_no_client_auth();
            let connector = HttpsConnectorBuilder::new()
                .with_tls_config(tls)
                .https_only()
                .enable_all_versions()
                .build();
            FrontClient::ApiServer {
                client: Client::builder(TokioExecutor::new()).build(connector),
                url: format!("{}/version", cluster.url()),
            }
        });
        Self {
            clients: clients.collect(),
            turn: AtomicUsize::new(0),
        }
    }

    /// Sends `token`. Returns whether the login is granted.
    pub(crate) async fn grants(&self, token: &Secret) -> bool {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        match &self.clients[turn % CLIENTS] {
            FrontClient::Webhook(client) => match client.review(token).await {
                Ok(reply) => reply.body["status"]["authenticated"] == true,
                Err(_) => false,
            },
            FrontClient::ApiServer { client, url } => {
                let request = Request::get(url.as_str())
                    .header("authorization", format!("Bearer {}", token.expose()))
                    .body(Empty::new())
                    .unwrap();
                let Ok(response) = client.request(request).await else {
                    return false;
                };
                let is_granted = response.status().is_success();
                response.into_body().collect().await.is_ok() && is_granted
            }
        }
    }
}
