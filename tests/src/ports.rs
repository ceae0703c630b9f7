//! Loopback ports for servers whose port must be known before they start.

use std::io;
use std::net::Ipv4Addr;

use parking_lot::Mutex;
use tokio::net::TcpSocket;

/// Returns a free port. As long as this process runs, the kernel gives the port to no other process and to no outgoing
/// connection. A server can listen on the port if it sets `SO_REUSEADDR`, as almost all servers do.
///
/// # Panics
/// If no loopback port is free.
pub fn free_port() -> u16 {
    static RESERVED: Mutex<Vec<TcpSocket>> = Mutex::new(Vec::new());
    let (socket, port) = reserve().expect("a free loopback port");
    RESERVED.lock().push(socket);
    port
}

/// Binds a socket that never listens. Two sockets with `SO_REUSEADDR` may have the same port if at most one listens. The
/// kernel never selects a bound port by itself.
fn reserve() -> io::Result<(TcpSocket, u16)> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    let port = socket.local_addr()?.port();
    Ok((socket, port))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn reserved_port_refuses_connections_whenever_no_server_listens() {
        let address = (Ipv4Addr::LOCALHOST, free_port());
        for _ in 0..3 {
            let refused = TcpStream::connect(address).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            // Another server of the same port fails, as without a reservation.
            let server = TcpListener::bind(address).unwrap();
            let taken = TcpListener::bind(address).unwrap_err();
            assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
            let _client = TcpStream::connect(address).unwrap();
            drop(server);
        }
        // A server on all addresses, too.
        drop(TcpListener::bind(("0.0.0.0", address.1)).unwrap());
        drop(TcpListener::bind(("::", address.1)).unwrap());
    }

    #[test]
    fn reserved_ports_are_distinct() {
        let reserved: Vec<_> = (0..200).map(|_| reserve().unwrap()).collect();
        let ports: BTreeSet<u16> = reserved.iter().map(|(_, port)| *port).collect();
        assert_eq!(ports.len(), reserved.len());
        let chosen = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert!(!ports.contains(&chosen.local_addr().unwrap().port()));
    }
}
