//! A TCP proxy whose connections can be cut.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::Mutex;

/// Passes bytes between whoever connects and one server. Dropping it cuts everything.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<Mutex<SharedState>>,
    thread: Option<JoinHandle<()>>,
}

struct SharedState {
    way: ProxyState,
    /// Both ends of every connection.
    streams: Vec<TcpStream>,
    connections: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ProxyState {
    Open,
    Closed,
    /// The proxy ends.
    Gone,
}

impl Proxy {
    /// A proxy in front of `server`, on a port of its own on 127.0.0.1.
    ///
    /// # Errors
    /// When there is no port to be had.
    pub fn start(server: SocketAddr) -> io::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), server)
    }

    /// A proxy that listens on `address`.
    ///
    /// # Errors
    /// When the address is not to be had.
    pub fn start_at(address: SocketAddr, server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(SharedState {
            way: ProxyState::Open,
            streams: Vec::new(),
            connections: 0,
        }));
        let shared = Arc::clone(&state);
        let accept = move || {
            for stream in listener.incoming().flatten() {
                match shared.lock().way {
                    ProxyState::Open => {}
                    ProxyState::Closed => continue,
                    ProxyState::Gone => return,
                }
                // A server that is not there ends the connection, as it would its own.
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

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        self.state.lock().connections
    }

    /// Cuts every connection; new ones are taken.
    pub fn cut(&self) {
        self.pass(ProxyState::Open);
    }

    /// Cuts every connection, and new ones at once, until [`Self::open`].
    pub fn close(&self) {
        self.pass(ProxyState::Closed);
    }

    /// Takes connections again.
    pub fn open(&self) {
        self.state.lock().way = ProxyState::Open;
    }

    fn pass(&self, way: ProxyState) {
        let mut state = self.state.lock();
        state.way = way;
        for stream in state.streams.drain(..) {
            // One that has ended by itself cannot be cut.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.pass(ProxyState::Gone);
        // So that the thread looks.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn connect(state: &Mutex<SharedState>, one: TcpStream, other: TcpStream) -> io::Result<()> {
    let mut state = state.lock();
    if state.way != ProxyState::Open {
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
