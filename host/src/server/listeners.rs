//! The sockets on which the server listens.

mod error;

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use nix::libc::EAFNOSUPPORT;
use tokio::net::{TcpListener, TcpSocket, lookup_host};

use crate::config::{Host, Listen};
use crate::server::ServerError;
pub use error::ListenError;
use error::{ListenCause, ListenPurpose};

/// Number of connections that wait in the kernel to be accepted. While all slots are held by newcomers, new connections
/// wait and are not refused.
const BACKLOG: u32 = 1_024;

/// The listening sockets of a server.
pub(super) struct Listeners {
    pub(super) webhook: TcpListener,
    pub(super) address: SocketAddr,
    pub(super) health: Option<TcpListener>,
    pub(super) health_address: Option<SocketAddr>,
}

impl Listeners {
    /// Listens for the webhook, and for probes if `listen` enables the health port.
    ///
    /// # Errors
    /// If the server cannot listen on a port.
    pub(super) async fn bind(listen: &Listen) -> Result<Self, ServerError> {
        let webhook = listen_for_webhook(listen)
            .await
            .map_err(ServerError::Listen)?;
        let address = webhook.local_addr().map_err(ServerError::Address)?;
        let health = listen_for_health(listen, address.port())
            .await
            .map_err(ServerError::Listen)?;
        let health_address = health.as_ref().map(TcpListener::local_addr);
        Ok(Self {
            webhook,
            address,
            health,
            health_address: health_address.transpose().map_err(ServerError::Address)?,
        })
    }
}

/// Listens for the webhook on the host and port of `listen`.
async fn listen_for_webhook(listen: &Listen) -> Result<TcpListener, ListenError> {
    listen_on(ListenPurpose::Webhook, &listen.host, listen.port).await
}

/// Listens for probes if `listen` enables the health port: on one host, or on all interfaces, of IPv4 and, if the
/// machine has it, IPv6. The webhook uses `webhook_port`.
async fn listen_for_health(
    listen: &Listen,
    webhook_port: u16,
) -> Result<Option<TcpListener>, ListenError> {
    let purpose = ListenPurpose::Health { webhook_port };
    let Some(port) = listen.health_port else {
        return Ok(None);
    };
    let listener = match &listen.health_host {
        Some(host) => listen_on(purpose, host, port).await?,
        None => match bind((Ipv6Addr::UNSPECIFIED, port).into()) {
            Err(error) if error.kind() != ErrorKind::AddrInUse => {
                let all = Host::Ip(Ipv4Addr::UNSPECIFIED.into());
                listen_on(purpose, &all, port).await?
            }
            bound => bound.and_then(start_listening).map_err(|error| {
                let address = format!("port {port} of all interfaces");
                ListenError::new(purpose, &address, port, ListenCause::Socket(error))
            })?,
        },
    };
    Ok(Some(listener))
}

/// Returns why the server could not listen on the addresses of `listen`. The check works while a server is running
/// there, and does not resolve names.
pub(crate) fn preflight_errors(listen: &Listen) -> Vec<ListenError> {
    let webhook_port = listen.port;
    let webhook = Some((ListenPurpose::Webhook, &listen.host, listen.port));
    let health = listen.health_host.as_ref().zip(listen.health_port);
    let health = health.map(|(host, port)| (ListenPurpose::Health { webhook_port }, host, port));
    let preflight_error = |(purpose, host, port): (ListenPurpose, &Host, u16)| {
        let Host::Ip(ip) = host else {
            return None;
        };
        match bind((*ip, port).into()) {
            Err(error) if error.kind() != ErrorKind::AddrInUse => {
                let address = format!("{host}:{port}");
                let cause = cause_of(error, *ip);
                Some(ListenError::new(purpose, &address, port, cause))
            }
            Ok(_) | Err(_) => None,
        }
    };
    webhook
        .into_iter()
        .chain(health)
        .filter_map(preflight_error)
        .collect()
}

/// Listens on the first usable address of `host`.
async fn listen_on(
    purpose: ListenPurpose,
    host: &Host,
    port: u16,
) -> Result<TcpListener, ListenError> {
    let address = format!("{host}:{port}");
    let failed = |cause| ListenError::new(purpose, &address, port, cause);
    let found = match host {
        Host::Ip(ip) => vec![SocketAddr::from((*ip, port))],
        Host::Name(name) => lookup_host((name.as_str(), port))
            .await
            .map_err(|error| failed(ListenCause::Unresolved(error)))?
            .collect(),
    };
    let missing = io::Error::new(ErrorKind::NotFound, "no address found");
    let mut cause = ListenCause::Unresolved(missing);
    for address in found {
        match bind(address).and_then(start_listening) {
            Ok(listener) => return Ok(listener),
            Err(error) => cause = cause_of(error, address.ip()),
        }
    }
    Err(failed(cause))
}

/// Converts an error of a socket. Without IPv6, creating an IPv6 socket fails, or binding it to the loopback address.
fn cause_of(error: io::Error, ip: IpAddr) -> ListenCause {
    let has_ipv6 = || bind((Ipv6Addr::LOCALHOST, 0).into()).is_ok();
    let is_refused =
        error.raw_os_error() == Some(EAFNOSUPPORT) || error.kind() == ErrorKind::AddrNotAvailable;
    if ip.is_ipv6() && is_refused && !has_ipv6() {
        ListenCause::NoIpv6
    } else {
        ListenCause::Socket(error)
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // A restarted server does not wait until the connections of the previous one are forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

fn start_listening(socket: TcpSocket) -> io::Result<TcpListener> {
    socket.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn connections_wait_in_backlog_until_accepted() {
        let localhost = Host::Ip(Ipv4Addr::LOCALHOST.into());
        let listener = listen_on(ListenPurpose::Webhook, &localhost, 0)
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        // Beyond the backlog, a connection is established only when there is room.
        for _ in 0..BACKLOG / 2 {
            waiting.push(TcpStream::connect(address).await.unwrap());
        }
        for _ in 0..waiting.len() {
            listener.accept().await.unwrap();
        }
    }

    #[tokio::test]
    async fn each_listen_error_has_its_own_advice() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let health = ListenPurpose::Health { webhook_port: port };
        for (purpose, host, port, part) in [
            (
                ListenPurpose::Webhook,
                "127.0.0.1",
                port,
                "stop the program that uses the port, or set another `server.port` (or `--port`)",
            ),
            (
                health,
                "127.0.0.1",
                port,
                "the webhook uses that port; set another `server.healthPort`",
            ),
            // No machine has a documentation address.
            (
                ListenPurpose::Webhook,
                "192.0.2.1",
                0,
                "set `server.address` (or `server.bind`, `--bind`) to an address of this machine",
            ),
            (
                health,
                "192.0.2.1",
                0,
                "set `server.healthAddress` to an address of this machine",
            ),
            (
                ListenPurpose::Webhook,
                "name.invalid",
                0,
                "the name does not resolve",
            ),
        ] {
            let host = Host::parse(host).unwrap();
            let error = listen_on(purpose, &host, port).await.unwrap_err();
            let text = error.to_string();
            assert!(text.contains(part), "{text}");
            assert!(text.starts_with(&format!("cannot listen on {host}:{port}: ")));
        }
    }

    #[test]
    fn missing_address_family_of_ipv4_is_a_socket_error() {
        let no_family = io::Error::from_raw_os_error(EAFNOSUPPORT);
        let localhost = Ipv4Addr::LOCALHOST.into();
        assert!(matches!(
            cause_of(no_family, localhost),
            ListenCause::Socket(_)
        ));
    }
}
