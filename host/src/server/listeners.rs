//! The sockets that the server listens on.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket, lookup_host};

use crate::server::ServerError;

/// Connections that wait in the kernel to be accepted. While every place is held by a newcomer, nobody is accepted, and
/// nobody is turned away either.
const BACKLOG: u32 = 1_024;

/// Listens on `address`, `<host>:<port>`.
pub(super) async fn listen(address: String) -> Result<TcpListener, ServerError> {
    bind_first(&address)
        .await
        .map_err(|source| ServerError::Listen { address, source })
}

/// Listens on all interfaces, of IPv6 and IPv4 where there is IPv6 at all.
pub(super) async fn listen_everywhere(port: u16) -> Result<TcpListener, ServerError> {
    match bind((Ipv6Addr::UNSPECIFIED, port).into()) {
        Err(error) if error.kind() != ErrorKind::AddrInUse => {
            listen(format!("{}:{port}", Ipv4Addr::UNSPECIFIED)).await
        }
        bound => bound.map_err(|source| ServerError::Listen {
            address: format!("port {port} of all interfaces"),
            source,
        }),
    }
}

/// Listens on the first address of `address` that can be had.
async fn bind_first(address: &str) -> io::Result<TcpListener> {
    let mut failed = io::Error::new(ErrorKind::InvalidInput, "the name has no address");
    for address in lookup_host(address).await? {
        match bind(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A server that starts anew does not wait until connections of the last one are forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn connections_wait_in_the_kernel_until_they_are_accepted() {
        let listener = listen("127.0.0.1:0".to_owned()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        // Beyond the backlog, a connection is not established until there is room.
        for _ in 0..BACKLOG / 2 {
            waiting.push(TcpStream::connect(address).await.unwrap());
        }
        for _ in 0..waiting.len() {
            listener.accept().await.unwrap();
        }
    }
}
