//! Connections to STS: directly or by a proxy, over TLS, within a deadline.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tower_service::Service;

use crate::config::Sts;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Connects to STS, TLS included, within a deadline of its own.
#[derive(Clone)]
pub(super) struct Connector {
    https: HttpsConnector<ProxiedConnector>,
    deadline: Duration,
}

impl Connector {
    pub(super) fn new(settings: &Sts) -> Result<Self, TrustError> {
        let tls = ClientConfig::builder()
            .with_root_certificates(roots(settings.ca_file.as_ref())?)
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let proxied = ProxiedConnector {
            tcp,
            proxies: Arc::new(Matcher::from_env()),
        };
        Ok(Self {
            https: HttpsConnector::from((proxied, tls)),
            deadline: settings.connect_timeout,
        })
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(cx)
    }

    fn call(&mut self, endpoint: Uri) -> Self::Future {
        let connecting = self.https.call(endpoint);
        let deadline = self.deadline;
        Box::pin(async move {
            match tokio::time::timeout(deadline, connecting).await {
                Ok(connected) => connected,
                Err(_) => {
                    Err(io::Error::new(io::ErrorKind::TimedOut, "no connection in time").into())
                }
            }
        })
    }
}

/// Connects through `HTTPS_PROXY` where that and `NO_PROXY` say so, as Go does.
#[derive(Clone)]
struct ProxiedConnector {
    tcp: HttpConnector,
    proxies: Arc<Matcher>,
}

impl Service<Uri> for ProxiedConnector {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, endpoint: Uri) -> Self::Future {
        let Some(proxy) = self.proxies.intercept(&endpoint) else {
            let connecting = self.tcp.call(endpoint);
            return Box::pin(async { Ok(connecting.await?) });
        };
        let mut tunnel = Tunnel::new(proxy.uri().clone(), self.tcp.clone());
        if let Some(credentials) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(credentials.clone());
        }
        Box::pin(async move { Ok(tunnel.call(endpoint).await?) })
    }
}

/// Whom to trust as STS: the certificates of `ca_file`, else the system's (or those of `SSL_CERT_FILE`).
fn roots(ca_file: Option<&PathBuf>) -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let unreadable = |reason: String| TrustError::Unreadable {
                path: path.clone(),
                reason,
            };
            let pem = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
                roots
                    .add(certificate)
                    .map_err(|error| unreadable(error.to_string()))?;
            }
        }
        // A system's store often holds single certificates that nobody can read; the rest serves.
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(TrustError::Nobody(ca_file.cloned()));
    }
    Ok(roots)
}

/// Why the certificates that prove STS could not be had. All of these are the configuration's fault.
#[derive(Debug)]
pub enum TrustError {
    /// `server.sts.caFile` cannot be used.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// There are none in the file, or in the system's store.
    Nobody(Option<PathBuf>),
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, reason } => write!(
                f,
                "cannot read `server.sts.caFile` `{}`: {reason}; give it a PEM file of certificates",
                path.display()
            ),
            Self::Nobody(Some(path)) => write!(
                f,
                "`server.sts.caFile` `{}` holds no certificate; give it a PEM file of certificates",
                path.display()
            ),
            Self::Nobody(None) => f.write_str(
                "the system trusts no certificates; install `ca-certificates`, or set `server.sts.caFile` or `SSL_CERT_FILE`",
            ),
        }
    }
}

impl std::error::Error for TrustError {}
