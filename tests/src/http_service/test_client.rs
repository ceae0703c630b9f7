//! A client of services, with one connection for each request.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::handshake;
use hyper::header::HOST;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::HttpService;

/// A complete reply.
#[derive(Debug)]
pub(crate) struct TestReply {
    pub(crate) status: u16,
    /// The body as text.
    pub(crate) text: String,
}

impl TestReply {
    /// Returns the body; `null` if it is not JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

/// Sends `<method> <target>` to a service without TLS.
pub(crate) async fn call(
    service: &HttpService,
    line: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> TestReply {
    let reply = try_call(service, line, headers, body).await;
    reply.unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// Sends a request as [`call`] does. Returns an error if there is no complete reply.
pub(crate) async fn try_call(
    service: &HttpService,
    line: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<TestReply, hyper::Error> {
    let stream = TcpStream::connect(service.address()).await.unwrap();
    read(open(stream, line, headers, body).await?).await
}

/// Sends a request over `stream`, and returns the head of the reply.
pub(crate) async fn open(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    line: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Response<hyper::body::Incoming>, hyper::Error> {
    let (method, target) = line.split_once(' ').unwrap();
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header(HOST, "service.test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::<Bytes>::from(body.to_owned())).unwrap();
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    sender.send_request(request).await
}

pub(crate) async fn read(
    response: Response<hyper::body::Incoming>,
) -> Result<TestReply, hyper::Error> {
    let (head, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok(TestReply {
        status: head.status.as_u16(),
        text: String::from_utf8_lossy(&body).into_owned(),
    })
}
