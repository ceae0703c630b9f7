//! An HTTP proxy that leads each known host to an emulator on loopback.
//!
//! Programs under test reach the real names of services with `HTTPS_PROXY` and `HTTP_PROXY`. The proxy refuses every
//! other host, so that no test reaches the internet.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;

use crate::service_thread::ServiceThread;

const MAX_HEAD_BYTES: usize = 64 * 1024;
const HEAD_END: &[u8] = b"\r\n\r\n";

/// A running proxy. Dropping it closes its connections and its port.
#[derive(Debug)]
pub struct ConnectProxy {
    thread: ServiceThread,
    shared: Arc<Mutex<Routes>>,
}

#[derive(Debug, Default)]
struct Routes {
    /// The address of each `host:port`.
    addresses: BTreeMap<String, SocketAddr>,
    requests: Vec<String>,
    heads: Vec<String>,
}

impl ConnectProxy {
    /// Starts a proxy without routes on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let shared = Arc::new(Mutex::new(Routes::default()));
        let thread = ServiceThread::start("connect-proxy", listener, |listener| {
            serve(listener, Arc::clone(&shared))
        })?;
        Ok(Self { thread, shared })
    }

    /// Leads `host:port` to `address`.
    pub fn route(&self, target: &str, address: SocketAddr) {
        let mut routes = self.shared.lock();
        routes.addresses.insert(target.to_owned(), address);
    }

    /// Returns the value of `HTTPS_PROXY` and `HTTP_PROXY`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.thread.address())
    }

    /// Returns the method and the target of each request, such as `CONNECT sts.aliyuncs.com:443`.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.shared.lock().requests.clone()
    }

    /// Returns the request line and the headers of each request.
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        self.shared.lock().heads.clone()
    }
}

/// Accepts connections until the future is dropped.
async fn serve(listener: tokio::net::TcpListener, shared: Arc<Mutex<Routes>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // The likely cause is a lack of file descriptors. They become free when connections close.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            // Clients may close the connection at any time.
            let _ = forward(stream, &shared).await;
        });
    }
}

async fn forward(mut client: TcpStream, shared: &Mutex<Routes>) -> io::Result<()> {
    let received = read_head(&mut client).await?;
    let Some(request) = ProxyRequest::parse(&received) else {
        return client.write_all(&refusal("400 Bad Request")).await;
    };
    let address = {
        let mut routes = shared.lock();
        let line = format!("{} {}", request.method, request.target);
        routes.requests.push(line);
        routes.heads.push(request.head.clone());
        routes.addresses.get(&request.target).copied()
    };
    let Some(address) = address else {
        return client.write_all(&refusal("502 Bad Gateway")).await;
    };
    let mut service = TcpStream::connect(address).await?;
    match request.forwarded {
        None => {
            client
                .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                .await?;
        }
        Some(bytes) => service.write_all(&bytes).await?,
    }
    copy_bidirectional(&mut client, &mut service).await?;
    Ok(())
}

/// Reads until the head of a request is complete. The start of its body may follow.
async fn read_head(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut received = Vec::new();
    while !received
        .windows(HEAD_END.len())
        .any(|bytes| bytes == HEAD_END)
    {
        let is_over = client.read_buf(&mut received).await? == 0;
        if is_over || received.len() > MAX_HEAD_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    Ok(received)
}

struct ProxyRequest {
    method: String,
    /// `host:port`
    target: String,
    /// The request line and the headers.
    head: String,
    /// What the service gets from the client so far; `None` for `CONNECT`.
    forwarded: Option<Vec<u8>>,
}

impl ProxyRequest {
    fn parse(received: &[u8]) -> Option<Self> {
        let line_end = received.windows(2).position(|bytes| bytes == b"\r\n")?;
        let (line, rest) = received.split_at(line_end);
        let mut words = std::str::from_utf8(line).ok()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        if method == "CONNECT" {
            return Some(Self {
                method: method.to_owned(),
                target: target.to_owned(),
                head: head_of(received),
                forwarded: None,
            });
        }
        let (authority, path) = target.strip_prefix("http://")?.split_once('/')?;
        let port = if authority.contains(':') { "" } else { ":80" };
        let mut forwarded = format!("{method} /{path} {version}").into_bytes();
        forwarded.extend_from_slice(rest);
        Some(Self {
            method: method.to_owned(),
            target: format!("{authority}{port}"),
            head: head_of(received),
            forwarded: Some(forwarded),
        })
    }
}

fn head_of(received: &[u8]) -> String {
    let end = received
        .windows(HEAD_END.len())
        .position(|bytes| bytes == HEAD_END);
    let head = received.get(..end.unwrap_or_default()).unwrap_or_default();
    String::from_utf8_lossy(head).into_owned()
}

fn refusal(status: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").into_bytes()
}

#[cfg(test)]
mod tests;
