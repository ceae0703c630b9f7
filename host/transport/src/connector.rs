//! Connections to STS: directly or through a proxy, over TLS, within a deadline.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper::header::HeaderValue;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::connect_error::describe_connect_error;
use crate::proxy::{Proxy, ProxySettings};
use crate::trust::{StsTrust, StsTrustError};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Connector to one STS endpoint, with TLS and a deadline.
#[derive(Clone)]
pub struct Connector {
    https: HttpsConnector<ProxiedConnector>,
    proxy: Option<Arc<Proxy>>,
    deadline: Duration,
}

impl Connector {
    /// Creates a connector for `endpoint`, which is `https://<host>[:<port>]`.
    ///
    /// The connector trusts the certificates in `trust`, and uses the proxy that `proxies` has for the host. `deadline`
    /// is the time for a connection, including the proxy and TLS.
    ///
    /// # Errors
    /// Returns an error if the proxy cannot be used.
    pub fn new(
        endpoint: &Uri,
        deadline: Duration,
        trust: &StsTrust,
        proxies: &ProxySettings,
    ) -> Result<Self, StsTrustError> {
        let tls = ClientConfig::builder()
            .with_root_certificates(trust.roots())
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // The addresses of a host share this time, so that an unreachable address leaves time for the next.
        tcp.set_connect_timeout(Some(deadline));
        let proxy = proxy_to(endpoint, proxies)?.cloned().map(Arc::new);
        let tunnel = proxy
            .as_deref()
            .map(|proxy| tunnel(proxy, &tcp))
            .transpose()?;
        let proxied = ProxiedConnector { tcp, tunnel };
        Ok(Self {
            https: HttpsConnector::from((proxied, tls)),
            proxy,
            deadline,
        })
    }

    /// Returns the error text for a call that times out before the connection through the proxy; `None` without a
    /// proxy.
    #[must_use]
    pub fn proxy_timeout_text(&self) -> Option<String> {
        let proxy = Arc::clone(self.proxy.as_ref()?);
        let source = io::Error::new(io::ErrorKind::TimedOut, "connection timed out").into();
        Some(describe_connect_error(&ProxiedError { proxy, source }))
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
        let (deadline, proxy) = (self.deadline, self.proxy.clone());
        Box::pin(async move {
            let connected = match tokio::time::timeout(deadline, connecting).await {
                Ok(connected) => connected,
                Err(_) => {
                    Err(io::Error::new(io::ErrorKind::TimedOut, "connection timed out").into())
                }
            };
            connected.map_err(|source| match proxy {
                Some(proxy) => ProxiedError { proxy, source }.into(),
                None => source,
            })
        })
    }
}

/// Returns the proxy for `endpoint`; `None` for a direct connection.
///
/// # Errors
/// Returns an error if the proxy's URL is malformed and `NO_PROXY` does not exempt the endpoint.
pub fn proxy_to<'a>(
    endpoint: &Uri,
    proxies: &'a ProxySettings,
) -> Result<Option<&'a Proxy>, StsTrustError> {
    let standard = if endpoint.scheme_str() == Some("http") {
        80
    } else {
        443
    };
    let host = endpoint.host().unwrap_or_default();
    let proxy = proxies.proxy_for(host, endpoint.port_u16().unwrap_or(standard));
    proxy.map_err(StsTrustError::Proxy)
}

fn tunnel(proxy: &Proxy, tcp: &HttpConnector) -> Result<Tunnel<HttpConnector>, StsTrustError> {
    let unusable = || StsTrustError::UnusableProxy {
        variable: proxy.variable,
    };
    let uri = Uri::try_from(format!("http://{proxy}/")).map_err(|_| unusable())?;
    let tunnel = Tunnel::new(uri, tcp.clone());
    match &proxy.authorization {
        Some(authorization) => {
            let value = HeaderValue::from_str(authorization.expose()).map_err(|_| unusable())?;
            Ok(tunnel.with_auth(value))
        }
        None => Ok(tunnel),
    }
}

/// TCP connector that uses the proxy, if there is one.
#[derive(Clone)]
struct ProxiedConnector {
    tcp: HttpConnector,
    tunnel: Option<Tunnel<HttpConnector>>,
}

impl Service<Uri> for ProxiedConnector {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, endpoint: Uri) -> Self::Future {
        match &mut self.tunnel {
            Some(tunnel) => {
                let connecting = tunnel.call(endpoint);
                Box::pin(async { Ok(connecting.await?) })
            }
            None => {
                let connecting = self.tcp.call(endpoint);
                Box::pin(async { Ok(connecting.await?) })
            }
        }
    }
}

/// Error of a connection through a proxy.
#[derive(Debug, thiserror::Error)]
#[error("through the proxy `{proxy}` from `{}`", proxy.variable)]
pub(crate) struct ProxiedError {
    /// Proxy of the connection.
    pub(crate) proxy: Arc<Proxy>,
    source: BoxError,
}
