//! A client of the health port, which serves plain HTTP.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A reply of the health port.
#[derive(Debug)]
pub struct HealthReply {
    /// The HTTP status.
    pub status: u16,
    /// The status line and the headers.
    pub head: String,
    /// The body.
    pub body: String,
}

/// Gets `path` from the health port `port` of this machine.
///
/// # Panics
/// If there is no HTTP reply.
pub async fn get(port: u16, path: &str) -> HealthReply {
    let connected = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
    let mut stream = connected.expect("the health port is open");
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    let sent = stream.write_all(request.as_bytes()).await;
    sent.expect("the request can be sent");
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer).await;
    read.expect("the reply is text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("the reply has a head");
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    HealthReply {
        status: status.expect("the reply has a status"),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}
