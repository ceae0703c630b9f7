//! A load generator: concurrent clients, each of which sends its next review after the reply to the previous one.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ack_ram_core::review::ReviewVersion;
use ack_ram_core::secret::Secret;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::webhook::token_review;

type BoxError = Box<dyn Error + Send + Sync>;

/// The connections on which the reviews are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// This many HTTP/1.1 connections, kept alive.
    Connections(usize),
    /// One HTTP/2 connection with this many concurrent requests, as from an API server.
    Streams(usize),
    /// This many concurrent requests, each on a new connection with a full handshake.
    NewConnections(usize),
}

impl Shape {
    fn at_once(self) -> usize {
        match self {
            Self::Connections(count) | Self::Streams(count) | Self::NewConnections(count) => count,
        }
    }
}

/// A load generator for one server.
#[derive(Clone)]
pub struct Load {
    address: SocketAddr,
    tls: Arc<ClientConfig>,
}

/// The measurements of a number of reviews.
#[derive(Debug, Default)]
pub struct LoadReport {
    /// The latencies, shortest first. Each is the time from the first byte sent, including a handshake, to the last
    /// byte received.
    pub latencies: Vec<Duration>,
    /// The time from the first review to the last reply.
    pub took: Duration,
}

impl LoadReport {
    /// Returns the latency at `quantile`, such as 0.99 for the 99th percentile.
    #[must_use]
    pub fn latency(&self, quantile: f64) -> Duration {
        let place = (self.latencies.len() as f64 * quantile).ceil() as usize;
        let latency = self.latencies.get(place.saturating_sub(1));
        latency.copied().unwrap_or_default()
    }
}

impl Load {
    /// Builds a load generator for the server on `port` of this machine, whose certificate is of the authority in
    /// `ca_file`.
    ///
    /// # Errors
    /// If `ca_file` contains no certificate.
    pub fn new(ca_file: &Path, port: u16) -> Result<Self, BoxError> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca_file)?)?;
        let mut tls = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        // Go's client does not resume sessions by default.
        tls.resumption = Resumption::disabled();
        Ok(Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            tls: Arc::new(tls),
        })
    }

    /// Opens the connections that `shape` keeps alive.
    ///
    /// # Errors
    /// If a connection fails.
    pub async fn open(&self, shape: Shape) -> Result<Clients, BoxError> {
        let mut clients = Vec::with_capacity(shape.at_once());
        match shape {
            Shape::Connections(count) => {
                for _ in 0..count {
                    clients.push(Client::Http1(self.http1().await?));
                }
            }
            Shape::Streams(count) => {
                let connection = self.http2().await?;
                clients.resize_with(count, || Client::Http2(connection.clone()));
            }
            Shape::NewConnections(count) => {
                clients.resize_with(count, || Client::New(self.clone()));
            }
        }
        Ok(Clients(clients))
    }

    async fn http1(&self) -> Result<http1::SendRequest<Full<Bytes>>, BoxError> {
        let io = self.connect("http/1.1").await?;
        let (sender, connection) = http1::handshake(io).await?;
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn http2(&self) -> Result<http2::SendRequest<Full<Bytes>>, BoxError> {
        let io = self.connect("h2").await?;
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn connect(
        &self,
        protocol: &str,
    ) -> Result<TokioIo<tokio_rustls::client::TlsStream<TcpStream>>, BoxError> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let mut tls = ClientConfig::clone(&self.tls);
        tls.alpn_protocols = vec![protocol.into()];
        let tls = TlsConnector::from(Arc::new(tls));
        let name = ServerName::try_from("localhost")?;
        Ok(TokioIo::new(tls.connect(name, stream).await?))
    }
}

/// The clients of a load generator, with their open connections.
pub struct Clients(Vec<Client>);

impl Clients {
    /// Sends each of `reviews` once, with all clients in parallel, and checks that each review is granted.
    ///
    /// # Errors
    /// If a review is not granted.
    pub async fn send(&mut self, reviews: &Arc<[Bytes]>) -> Result<LoadReport, BoxError> {
        let next = Arc::new(AtomicUsize::new(0));
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        for mut client in self.0.drain(..) {
            let (reviews, next) = (Arc::clone(reviews), Arc::clone(&next));
            tasks.spawn(async move {
                let mut latencies = Vec::new();
                while let Some(review) = reviews.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let started = Instant::now();
                    let (status, answer) = client.send(review.clone()).await?;
                    latencies.push(started.elapsed());
                    check_granted(status, &answer)?;
                }
                Ok::<_, BoxError>((client, latencies))
            });
        }
        let mut report = LoadReport::default();
        while let Some(ended) = tasks.join_next().await {
            let (client, latencies) = ended??;
            self.0.push(client);
            report.latencies.extend(latencies);
        }
        report.took = started.elapsed();
        report.latencies.sort_unstable();
        Ok(report)
    }
}

enum Client {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
    New(Load),
}

impl Client {
    async fn send(&mut self, review: Bytes) -> Result<(StatusCode, Bytes), BoxError> {
        let response = match self {
            Self::Http1(connection) => {
                connection.ready().await?;
                connection.send_request(request(PATH, review)?).await?
            }
            Self::Http2(connection) => {
                connection.ready().await?;
                connection.send_request(request(URL, review)?).await?
            }
            Self::New(load) => {
                let mut connection = load.http1().await?;
                connection.send_request(request(PATH, review)?).await?
            }
        };
        let (head, body) = response.into_parts();
        Ok((head.status, body.collect().await?.to_bytes()))
    }
}

const PATH: &str = "/authenticate";
/// In HTTP/2, the scheme and the host are not headers.
const URL: &str = "https://localhost/authenticate";

fn request(target: &str, review: Bytes) -> hyper::http::Result<Request<Full<Bytes>>> {
    Request::builder()
        .method(Method::POST)
        .uri(target)
        .header(HOST, "localhost")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(review))
}

fn check_granted(status: StatusCode, answer: &[u8]) -> Result<(), BoxError> {
    let granted = br#""authenticated":true"#;
    let is_granted = answer.windows(granted.len()).any(|part| part == granted);
    if status == StatusCode::OK && is_granted {
        return Ok(());
    }
    let answer = String::from_utf8_lossy(answer);
    Err(format!("a review was not granted: {status}, {answer}").into())
}

/// Returns the body of a review request for `token`.
#[must_use]
pub fn review_of(token: &Secret) -> Bytes {
    Bytes::from(token_review(ReviewVersion::V1, token).to_string())
}
