//! Clients of Envoy that send each request on a new connection.

use std::error::Error;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::{HOST, HeaderMap};
use hyper::{Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

type BoxError = Box<dyn Error + Send + Sync>;

/// The version of HTTP that a client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 with prior knowledge.
    Http2,
}

/// A client of one listener of Envoy.
#[derive(Clone, Copy, Debug)]
pub struct EnvoyClient {
    address: SocketAddr,
    protocol: Protocol,
}

/// A reply of Envoy.
#[derive(Debug)]
pub struct EnvoyReply {
    /// The status.
    pub status: StatusCode,
    /// The version of HTTP of the reply.
    pub version: Version,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The trailers.
    pub trailers: HeaderMap,
}

impl EnvoyClient {
    /// Builds a client of the listener at `address`.
    #[must_use]
    pub fn new(address: SocketAddr, protocol: Protocol) -> Self {
        Self { address, protocol }
    }

    /// Sends a GET request with `headers`, in which a name may occur several times. Sends the request again if Envoy closes
    /// the connection without reading the request.
    ///
    /// # Errors
    /// If there is no reply.
    pub async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Result<EnvoyReply, BoxError> {
        loop {
            let mut request = Request::get(path);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let reply = self.send(request.body(Full::default())?).await;
            if !reply.as_ref().is_err_and(is_unread) {
                return reply;
            }
        }
    }

    /// Sends a request whose URI is only a path.
    ///
    /// # Errors
    /// If there is no reply.
    pub async fn send<B>(&self, request: Request<B>) -> Result<EnvoyReply, BoxError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let (head, body) = self.begin(request).await?.into_parts();
        let body = body.collect().await?;
        let trailers = body.trailers().cloned().unwrap_or_default();
        Ok(EnvoyReply {
            status: head.status,
            version: head.version,
            headers: head.headers,
            body: body.to_bytes(),
            trailers,
        })
    }

    /// Sends a request, and returns the reply before its body is complete.
    ///
    /// # Errors
    /// If there is no reply.
    pub async fn begin<B>(&self, mut request: Request<B>) -> Result<Response<Incoming>, BoxError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BoxError>,
    {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let io = TokioIo::new(stream);
        match self.protocol {
            Protocol::Http1 => {
                let headers = request.headers_mut();
                headers.entry(HOST).or_insert("service".parse()?);
                let (mut sender, connection) = http1::handshake(io).await?;
                tokio::spawn(connection.with_upgrades());
                Ok(sender.send_request(request).await?)
            }
            Protocol::Http2 => {
                // In HTTP/2, the scheme and the host are not headers.
                *request.uri_mut() = Uri::try_from(format!("http://service{}", request.uri()))?;
                let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                tokio::spawn(connection);
                Ok(sender.send_request(request).await?)
            }
        }
    }
}

/// Returns whether Envoy did not read a request: a listener that is replaced ends its HTTP/2 connections with a GOAWAY
/// frame, and clients resend the requests that are not among those in the frame (RFC 9113, section 6.8).
fn is_unread(error: &BoxError) -> bool {
    // The error of HTTP/2 has no public type here, so its text has to be compared.
    format!("{error:?}").contains("GoAway(b\"\", NO_ERROR, Remote)")
}

impl EnvoyReply {
    /// Returns the value of the header `name`; empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Returns the body as JSON; `null` if it is not JSON.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}
