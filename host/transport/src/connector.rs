//! Connections to STS and to services that issue keys: directly or through a proxy, over TLS, within a deadline.

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
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::connect_error::{Audience, describe_connect_error};
use crate::proxy::{Encryption, Proxy, ProxyProtocol, ProxySettings};
use crate::trust::{StsTrust, StsTrustError};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

/// Connector to one endpoint, with TLS and a deadline.
#[derive(Clone)]
pub struct Connector {
    https: HttpsConnector<ProxiedConnector>,
    proxy: Option<Arc<Proxy>>,
    forwards: bool,
    deadline: Duration,
}

impl Connector {
    /// Creates a connector for `endpoint`, which is `https://<host>[:<port>]` or `http://<host>[:<port>]`.
    ///
    /// The connector trusts the certificates in `trust`, and uses the proxy that `proxies` has for the host. `deadline`
    /// is the time for a connection, including the proxy and TLS. An HTTP proxy passes an unencrypted request on, so the
    /// caller has to write the request for the proxy; see [`Self::forwarding_proxy`].
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
        let route = match proxy.as_deref() {
            Some(proxy) => Route::through(proxy, encryption_of(endpoint), &tcp)?,
            None => Route::Direct(tcp),
        };
        let proxied = ProxiedConnector(route);
        Ok(Self {
            forwards: matches!(proxied.0, Route::Forward { .. }),
            https: HttpsConnector::from((proxied, tls)),
            proxy,
            deadline,
        })
    }

    /// Returns the proxy of the connections; `None` for direct connections.
    #[must_use]
    pub fn proxy(&self) -> Option<&Proxy> {
        self.proxy.as_deref()
    }

    /// Returns the HTTP proxy to which unencrypted requests are sent: with the whole URL in the request line, and with
    /// `Proxy-Authorization` if the proxy has a user (RFC 9112, absolute-form). `None` for any other connection.
    #[must_use]
    pub fn forwarding_proxy(&self) -> Option<&Proxy> {
        let proxy = self.proxy.as_deref()?;
        self.forwards.then_some(proxy)
    }

    /// Returns the error text for a call that times out before the connection through the proxy; `None` without a
    /// proxy.
    #[must_use]
    pub fn proxy_timeout_text(&self) -> Option<String> {
        let proxy = Arc::clone(self.proxy.as_ref()?);
        let source = io::Error::new(io::ErrorKind::TimedOut, "connection timed out").into();
        Some(describe_connect_error(
            &ProxiedError { proxy, source },
            Audience::Server,
        ))
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
    let encryption = encryption_of(endpoint);
    let standard = match encryption {
        Encryption::Tls => 443,
        Encryption::None => 80,
    };
    let host = endpoint.host().unwrap_or_default();
    let port = endpoint.port_u16().unwrap_or(standard);
    let proxy = proxies.proxy_for(encryption, host, port);
    proxy.map_err(StsTrustError::Proxy)
}

/// Returns `endpoint` with its port. Without one, the connector of a SOCKS proxy uses 443, also for unencrypted calls.
fn with_port(endpoint: Uri) -> Result<Uri, BoxError> {
    let (None, Some(host), Encryption::None) =
        (endpoint.port(), endpoint.host(), encryption_of(&endpoint))
    else {
        return Ok(endpoint);
    };
    Ok(Uri::try_from(format!("http://{host}:80/"))?)
}

fn encryption_of(endpoint: &Uri) -> Encryption {
    if endpoint.scheme_str() == Some("http") {
        Encryption::None
    } else {
        Encryption::Tls
    }
}

/// Way to an endpoint.
#[derive(Clone)]
enum Route {
    Direct(HttpConnector),
    /// An HTTP proxy connects to the endpoint.
    Tunnel(Tunnel<HttpConnector>),
    /// A SOCKS proxy connects to the endpoint.
    Socks(SocksV5<HttpConnector>),
    /// An HTTP proxy passes requests on.
    Forward {
        tcp: HttpConnector,
        proxy: Uri,
    },
}

impl Route {
    fn through(
        proxy: &Proxy,
        encryption: Encryption,
        tcp: &HttpConnector,
    ) -> Result<Self, StsTrustError> {
        let unusable = || StsTrustError::UnusableProxy {
            variable: proxy.variable,
        };
        let uri = Uri::try_from(format!("http://{proxy}/")).map_err(|_| unusable())?;
        let user = proxy.user.as_ref();
        match (proxy.protocol, encryption) {
            (ProxyProtocol::Http, Encryption::None) => Ok(Self::Forward {
                tcp: tcp.clone(),
                proxy: uri,
            }),
            (ProxyProtocol::Http, Encryption::Tls) => {
                let tunnel = Tunnel::new(uri, tcp.clone());
                let Some(user) = user else {
                    return Ok(Self::Tunnel(tunnel));
                };
                let value = HeaderValue::from_str(user.authorization.expose());
                Ok(Self::Tunnel(
                    tunnel.with_auth(value.map_err(|_| unusable())?),
                ))
            }
            (ProxyProtocol::Socks5, _) => {
                let socks = SocksV5::new(uri, tcp.clone()).local_dns(false);
                let Some(user) = user else {
                    return Ok(Self::Socks(socks));
                };
                // The length has one byte in the protocol (RFC 1929).
                let pair = user.name_and_password.as_ref().filter(|(name, password)| {
                    let is_short = |text: &str| text.len() <= usize::from(u8::MAX);
                    is_short(name.expose()) && is_short(password.expose())
                });
                let (name, password) = pair.ok_or_else(unusable)?;
                let (name, password) = (name.expose().to_owned(), password.expose().to_owned());
                Ok(Self::Socks(socks.with_auth(name, password)))
            }
        }
    }
}

/// TCP connector that uses the proxy, if there is one.
#[derive(Clone)]
struct ProxiedConnector(Route);

impl Service<Uri> for ProxiedConnector {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // The connector for TCP is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, endpoint: Uri) -> Self::Future {
        match &mut self.0 {
            Route::Direct(tcp) => {
                let connecting = tcp.call(endpoint);
                Box::pin(async { Ok(connecting.await?) })
            }
            Route::Tunnel(tunnel) => {
                let connecting = tunnel.call(endpoint);
                Box::pin(async { Ok(connecting.await?) })
            }
            Route::Socks(socks) => {
                let connecting = with_port(endpoint).map(|endpoint| socks.call(endpoint));
                Box::pin(async { Ok(connecting?.await?) })
            }
            Route::Forward { tcp, proxy } => {
                let connecting = tcp.call(proxy.clone());
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
