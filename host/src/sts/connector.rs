//! Connections to STS: directly or through a proxy, over TLS, within a deadline.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ack_ram_config::proxy::{Proxy, ProxySettings};
use hyper::Uri;
use hyper::header::HeaderValue;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::config::{Sts, StsEndpoint};
use crate::sts::connect_error;
use crate::sts::trust::{StsTrust, StsTrustError};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Connects to one endpoint of STS, TLS included, within a deadline of its own.
#[derive(Clone)]
pub(super) struct Connector {
    https: HttpsConnector<ProxiedConnector>,
    proxy: Option<Arc<Proxy>>,
    deadline: Duration,
}

impl Connector {
    pub(super) fn new(
        endpoint: &StsEndpoint,
        settings: &Sts,
        trust: &StsTrust,
        proxies: &ProxySettings,
    ) -> Result<Self, StsTrustError> {
        let tls = ClientConfig::builder()
            .with_root_certificates(trust.roots())
            .with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // Shared out among the addresses of the name, so that a dead one leaves time for the next.
        tcp.set_connect_timeout(Some(settings.limits.connect_timeout));
        let proxy = proxy_to(endpoint, proxies)?.cloned().map(Arc::new);
        let tunnel = proxy
            .as_deref()
            .map(|proxy| tunnel(proxy, &tcp))
            .transpose()?;
        let proxied = ProxiedConnector { tcp, tunnel };
        Ok(Self {
            https: HttpsConnector::from((proxied, tls)),
            proxy,
            deadline: settings.limits.connect_timeout,
        })
    }

    /// Returns the error text for a call that times out before the proxy connects; `None` without a proxy.
    pub(super) fn proxy_timeout_text(&self) -> Option<String> {
        let proxy = Arc::clone(self.proxy.as_ref()?);
        let source = io::Error::new(io::ErrorKind::TimedOut, "no connection in time").into();
        Some(connect_error::describe(&ProxiedError { proxy, source }))
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
                    Err(io::Error::new(io::ErrorKind::TimedOut, "no connection in time").into())
                }
            };
            connected.map_err(|source| match proxy {
                Some(proxy) => ProxiedError { proxy, source }.into(),
                None => source,
            })
        })
    }
}

/// Returns the proxy through which `endpoint` is reached, if there is one.
pub(super) fn proxy_to<'a>(
    endpoint: &StsEndpoint,
    proxies: &'a ProxySettings,
) -> Result<Option<&'a Proxy>, StsTrustError> {
    let uri = endpoint.uri();
    let standard = if uri.scheme_str() == Some("http") {
        80
    } else {
        443
    };
    let host = uri.host().unwrap_or_default();
    let proxy = proxies.proxy_for(host, uri.port_u16().unwrap_or(standard));
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

/// Connects through the proxy, if there is one.
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

/// Why there is no connection through a proxy.
#[derive(Debug)]
pub(super) struct ProxiedError {
    /// The proxy.
    pub(super) proxy: Arc<Proxy>,
    source: BoxError,
}

impl fmt::Display for ProxiedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Proxy { variable, .. } = &*self.proxy;
        write!(f, "through the proxy `{}` of `{variable}`", self.proxy)
    }
}

impl std::error::Error for ProxiedError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}
