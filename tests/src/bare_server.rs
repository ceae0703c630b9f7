//! The smallest possible webhook on hyper and rustls: it reads a request and returns a constant. The costs of the real
//! server are reported as multiples of the costs of this one.

use std::convert::Infallible;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The reply, which has the length of the real server's reply for the user of the demonstration account.
const ANSWER: &[u8] = br#"{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","status":{"authenticated":true,"user":{"username":"alice","uid":"ack-ram-authenticator:1234567890123456:200000000000000001","groups":["dev"],"extra":{"arn":["acs:ram::1234567890123456:user/alice"],"canonicalArn":["acs:ram::1234567890123456:user/alice"],"sessionName":[""]}}}}"#;

/// A bare server that listens and has not accepted a connection yet.
pub struct BareServer {
    listener: TcpListener,
    tls: TlsAcceptor,
    ca_pem: String,
}

impl BareServer {
    /// Listens on a free port of 127.0.0.1, with the TLS settings of the real server.
    ///
    /// # Errors
    /// If there is no free port, or no certificate can be generated.
    pub async fn start() -> Result<Self, Box<dyn Error + Send + Sync>> {
        let identity = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let key = PrivatePkcs8KeyDer::from(identity.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![identity.cert.der().clone()], key.into())?;
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            listener: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?,
            tls: TlsAcceptor::from(Arc::new(tls)),
            ca_pem: identity.cert.pem(),
        })
    }

    /// Returns the address that the server listens on.
    ///
    /// # Errors
    /// If the system does not report the address.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Returns the certificate that clients have to trust, in PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Accepts and answers requests forever.
    pub async fn serve(self) {
        loop {
            if let Ok((stream, _)) = self.listener.accept().await {
                tokio::spawn(connection(stream, self.tls.clone()));
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    tls: TlsAcceptor,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let stream = tls.accept(stream).await?;
    auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service_fn(answer))
        .await
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    // An incomplete body gets the same answer: this server does not check requests.
    let _read = request.into_body().collect().await;
    let mut response = Response::new(Full::from(ANSWER));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}
