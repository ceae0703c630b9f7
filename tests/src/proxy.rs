//! A TCP proxy that can cut its connections.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;

/// A proxy that forwards bytes between its clients and one server. Dropping it cuts all connections.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<Mutex<SharedState>>,
    thread: Option<JoinHandle<()>>,
}

struct SharedState {
    mode: ProxyState,
    /// Both ends of every connection.
    streams: Vec<TcpStream>,
    connections: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ProxyState {
    Open,
    Closed,
    /// The proxy is being dropped.
    Gone,
}

impl Proxy {
    /// Starts a proxy in front of `server`, on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// If there is no free port.
    pub fn start(server: SocketAddr) -> io::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), server)
    }

    /// Starts a proxy in front of `server` that listens on `address`.
    ///
    /// # Errors
    /// If the address is not available.
    pub fn start_at(address: SocketAddr, server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(SharedState {
            mode: ProxyState::Open,
            streams: Vec::new(),
            connections: 0,
        }));
        let shared = Arc::clone(&state);
        let accept = move || {
            for stream in listener.incoming().flatten() {
                match shared.lock().mode {
                    ProxyState::Open => {}
                    ProxyState::Closed => continue,
                    ProxyState::Gone => return,
                }
                // If the server cannot be reached, the client's connection closes.
                if let Ok(other) = TcpStream::connect(server) {
                    let _ = connect(&shared, stream, other);
                }
            }
        };
        Ok(Self {
            address,
            state,
            thread: Some(thread::spawn(accept)),
        })
    }

    /// Returns the address that the proxy listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the number of connections so far.
    pub fn connections(&self) -> usize {
        self.state.lock().connections
    }

    /// Cuts every connection, and accepts new ones.
    pub fn cut(&self) {
        self.cut_and_set(ProxyState::Open);
    }

    /// Cuts every connection, and refuses new ones until [`Self::open`].
    pub fn close(&self) {
        self.cut_and_set(ProxyState::Closed);
    }

    /// Accepts connections again.
    pub fn open(&self) {
        self.state.lock().mode = ProxyState::Open;
    }

    fn cut_and_set(&self, mode: ProxyState) {
        let mut state = self.state.lock();
        state.mode = mode;
        for stream in state.streams.drain(..) {
            // Fails only if the connection is already closed.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut_and_set(ProxyState::Gone);
        // A connection wakes the thread.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn connect(state: &Mutex<SharedState>, one: TcpStream, other: TcpStream) -> io::Result<()> {
    let mut state = state.lock();
    if state.mode != ProxyState::Open {
        return Ok(());
    }
    for (mut from, mut to) in [
        (one.try_clone()?, other.try_clone()?),
        (other.try_clone()?, one.try_clone()?),
    ] {
        thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            for stream in [from, to] {
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
    }
    state.streams.extend([one, other]);
    state.connections += 1;
    Ok(())
}
