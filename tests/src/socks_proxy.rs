//! A SOCKS5 proxy (RFC 1928) that leads each known host to an emulator on loopback.
//!
//! The proxy refuses every other host, so that no test reaches the internet.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;

use crate::service_thread::ServiceThread;

const VERSION: u8 = 5;
/// The version of the exchange of a user and a password (RFC 1929).
const LOGIN_VERSION: u8 = 1;
const NO_LOGIN: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;
const SUCCEEDED: u8 = 0;
const HOST_UNREACHABLE: u8 = 4;

/// A running proxy. Dropping it closes its connections and its port.
#[derive(Debug)]
pub struct SocksProxy {
    thread: ServiceThread,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The user and the password that the proxy requires; `None` for a proxy that requires no login.
    login: Option<(&'static str, &'static str)>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The address of each `host:port`.
    addresses: BTreeMap<String, SocketAddr>,
    requests: Vec<SocksTarget>,
    refused_logins: usize,
}

/// The destination that a client has asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocksTarget {
    /// A name, which the proxy resolves, as `host:port`.
    Name(String),
    /// An address, which the client has resolved.
    Address(SocketAddr),
}

impl SocksProxy {
    /// Starts a proxy that requires no login, without routes, on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn start() -> io::Result<Self> {
        Self::start_with(None)
    }

    /// Starts a proxy that requires a user and a password.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn start_for(user: &'static str, password: &'static str) -> io::Result<Self> {
        Self::start_with(Some((user, password)))
    }

    fn start_with(login: Option<(&'static str, &'static str)>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let state = Mutex::default();
        let shared = Arc::new(Shared { login, state });
        let thread = ServiceThread::start("socks-proxy", listener, |listener| {
            serve(listener, Arc::clone(&shared))
        })?;
        Ok(Self { thread, shared })
    }

    /// Leads the name `host:port` to `address`.
    pub fn route(&self, target: &str, address: SocketAddr) {
        let mut state = self.shared.state.lock();
        state.addresses.insert(target.to_owned(), address);
    }

    /// Returns the address that the proxy listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.thread.address()
    }

    /// Returns the destinations that clients have asked for, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<SocksTarget> {
        self.shared.state.lock().requests.clone()
    }

    /// Returns the number of clients without the required user and password.
    #[must_use]
    pub fn refused_logins(&self) -> usize {
        self.shared.state.lock().refused_logins
    }
}

/// Accepts connections until the future is dropped.
async fn serve(listener: tokio::net::TcpListener, shared: Arc<Shared>) {
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

async fn forward(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    if !log_in(&mut client, shared).await? {
        shared.state.lock().refused_logins += 1;
        return Ok(());
    }
    let target = read_target(&mut client).await?;
    let address = {
        let mut state = shared.state.lock();
        state.requests.push(target.clone());
        match &target {
            SocksTarget::Name(name) => state.addresses.get(name).copied(),
            SocksTarget::Address(_) => None,
        }
    };
    // The reply has an address that clients ignore.
    let reply = |code| [VERSION, code, 0, 1, 0, 0, 0, 0, 0, 0];
    let Some(address) = address else {
        return client.write_all(&reply(HOST_UNREACHABLE)).await;
    };
    let mut service = TcpStream::connect(address).await?;
    client.write_all(&reply(SUCCEEDED)).await?;
    copy_bidirectional(&mut client, &mut service).await?;
    Ok(())
}

/// Agrees with the client on a method, and checks its user and password. Returns whether the client is accepted.
async fn log_in(client: &mut TcpStream, shared: &Shared) -> io::Result<bool> {
    expect_byte(client, VERSION).await?;
    let methods = read_text(client).await?;
    let method = match shared.login {
        Some(_) => USER_AND_PASSWORD,
        None => NO_LOGIN,
    };
    if !methods.contains(&method) {
        client.write_all(&[VERSION, NO_METHOD]).await?;
        return Ok(false);
    }
    client.write_all(&[VERSION, method]).await?;
    let Some((user, password)) = shared.login else {
        return Ok(true);
    };
    expect_byte(client, LOGIN_VERSION).await?;
    let given = (read_text(client).await?, read_text(client).await?);
    let is_right = given == (user.as_bytes().to_vec(), password.as_bytes().to_vec());
    client
        .write_all(&[LOGIN_VERSION, u8::from(!is_right)])
        .await?;
    Ok(is_right)
}

async fn read_target(client: &mut TcpStream) -> io::Result<SocksTarget> {
    for expected in [VERSION, CONNECT, 0] {
        expect_byte(client, expected).await?;
    }
    match client.read_u8().await? {
        1 => {
            let ip = Ipv4Addr::from(client.read_u32().await?);
            let port = client.read_u16().await?;
            Ok(SocksTarget::Address((ip, port).into()))
        }
        4 => {
            let ip = Ipv6Addr::from(client.read_u128().await?);
            let port = client.read_u16().await?;
            Ok(SocksTarget::Address((ip, port).into()))
        }
        3 => {
            let name = String::from_utf8(read_text(client).await?);
            let name = name.map_err(|_| io::ErrorKind::InvalidData)?;
            let port = client.read_u16().await?;
            Ok(SocksTarget::Name(format!("{name}:{port}")))
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

async fn expect_byte(client: &mut TcpStream, expected: u8) -> io::Result<()> {
    match client.read_u8().await? == expected {
        true => Ok(()),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Reads a byte with a length, and this number of bytes.
async fn read_text(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = client.read_u8().await?;
    let mut text = vec![0; usize::from(length)];
    client.read_exact(&mut text).await?;
    Ok(text)
}
