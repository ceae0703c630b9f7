//! Loopback ports for servers whose port must be known before they start.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

use parking_lot::Mutex;

/// The first port. The ports are below the kernel's range for outgoing connections, so that no client can take a port
/// between the search and the start of the server.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// Returns a free port. As long as this process runs, no other call returns the port, in this process or another one.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // A bound UDP port marks the TCP port of the same number as reserved, until this process exits.
    static RESERVED: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());
    // Concurrent test processes start at different places.
    let start = process::id().wrapping_mul(97) % u32::from(COUNT);
    (0..COUNT)
        .filter_map(|_| {
            let turn = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
            u16::try_from((start + turn) % u32::from(COUNT)).ok()
        })
        .map(|place| FIRST + place)
        .find(|&port| {
            let Ok(mark) = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)) else {
                return false;
            };
            RESERVED.lock().push(mark);
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        })
        .expect("one of 12,000 loopback ports is free")
}
