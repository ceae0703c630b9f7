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
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tower_service::Service;

use crate::config::{Host, Sts, StsEndpoint};
use crate::env;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Connects to one endpoint of STS, TLS included, within a deadline of its own.
#[derive(Clone)]
pub(super) struct Connector {
    https: HttpsConnector<ProxiedConnector>,
    deadline: Duration,
}

impl Connector {
    pub(super) fn new(
        endpoint: &StsEndpoint,
        settings: &Sts,
        trust: &Trust,
    ) -> Result<Self, TrustError> {
        let tls = ClientConfig::builder()
            .with_root_certificates(Arc::clone(&trust.0))
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // Shared out among the addresses of the name, so that a dead one leaves time for the next.
        tcp.set_connect_timeout(Some(settings.limits.connect_timeout));
        let proxied = ProxiedConnector {
            tcp,
            proxy: proxy(endpoint.uri())?,
        };
        Ok(Self {
            https: HttpsConnector::from((proxied, tls)),
            deadline: settings.limits.connect_timeout,
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

/// Connects through the proxy, if there is one.
#[derive(Clone)]
struct ProxiedConnector {
    tcp: HttpConnector,
    proxy: Option<Arc<Intercept>>,
}

impl Service<Uri> for ProxiedConnector {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, endpoint: Uri) -> Self::Future {
        let Some(proxy) = &self.proxy else {
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

/// The proxy for `endpoint`, by `HTTPS_PROXY` and `NO_PROXY`, as in Go: never for this machine, and no other variable.
fn proxy(endpoint: &Uri) -> Result<Option<Arc<Intercept>>, TrustError> {
    let variable = |name: &str| env::variable(name).or_else(|| env::variable(&name.to_lowercase()));
    let host = endpoint.host().unwrap_or_default();
    let is_here = Host::parse(host).is_some_and(|host| host.is_loopback());
    let Some(text) = variable("HTTPS_PROXY").filter(|_| !is_here) else {
        return Ok(None);
    };
    let everything = Matcher::builder().https(text.clone()).build();
    let is_http = |proxy: &Intercept| proxy.uri().scheme_str() == Some("http");
    if !everything
        .intercept(endpoint)
        .is_some_and(|proxy| is_http(&proxy))
    {
        return Err(TrustError::Proxy);
    }
    let exempt = variable("NO_PROXY").unwrap_or_default();
    let matcher = Matcher::builder().https(text).no(exempt).build();
    Ok(matcher.intercept(endpoint).map(Arc::new))
}

/// Whom to trust as STS.
#[derive(Clone, Debug)]
pub struct Trust(Arc<RootCertStore>);

impl Trust {
    /// Reads the certificates of `ca_file`, else the system's (or those of `SSL_CERT_FILE`).
    ///
    /// # Errors
    /// When there are none.
    pub fn load(ca_file: Option<&PathBuf>) -> Result<Self, TrustError> {
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
        Ok(Self(Arc::new(roots)))
    }
}

/// Both trust the same.
impl PartialEq for Trust {
    fn eq(&self, other: &Self) -> bool {
        self.0.roots == other.0.roots
    }
}

/// Why STS cannot be connected to in a way that can be trusted. All of these are the configuration's fault.
#[derive(Debug)]
pub enum TrustError {
    /// `server.sts.caFile` cannot be used.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// `HTTPS_PROXY` is no proxy that can be used. What it says is not repeated: it may hold a password.
    Proxy,
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
            Self::Proxy => f.write_str(
                "`HTTPS_PROXY` is not `http://[user:password@]host[:port]`; correct it, or exempt STS with `NO_PROXY`",
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
