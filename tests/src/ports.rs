//! Loopback ports for servers that must be told theirs before they start.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

use parking_lot::Mutex;

/// Below the range from which the kernel takes the local ports of outgoing connections, so that no
/// client can take a port between the look and the server's start.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port on which nobody listens now. No process that asks here is given one that another has been
/// given and still may use, itself included.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Those of UDP are taken in sign that those of TCP are given away, until this process ends.
    static GIVEN: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());
    // Test processes that run side by side start at different places.
    let start = process::id().wrapping_mul(97) % u32::from(COUNT);
    (0..COUNT)
        .filter_map(|_| {
            let turn = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
            u16::try_from((start + turn) % u32::from(COUNT)).ok()
        })
        .map(|place| FIRST + place)
        .find(|&port| {
            let Ok(sign) = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)) else {
                return false;
            };
            GIVEN.lock().push(sign);
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
        })
        .expect("one of 12,000 loopback ports is free")
}
