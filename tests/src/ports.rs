//! Loopback ports for servers that must be told theirs before they start.

use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range from which the kernel takes the local ports of outgoing connections, so that no
/// client can take a port between the look and the server's start.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port on which nobody listens now. One process is never given the same port twice, until it
/// has seen them all; another process may still be faster, so a start that fails is worth a retry.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test processes that run side by side start at different places.
    let start = process::id().wrapping_mul(97) % u32::from(COUNT);
    (0..COUNT)
        .filter_map(|_| {
            let turn = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
            u16::try_from((start + turn) % u32::from(COUNT)).ok()
        })
        .map(|place| FIRST + place)
        .find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        .expect("one of 12,000 loopback ports is free")
}
