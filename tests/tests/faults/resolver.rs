//! A name server whose answers and failures a test sets.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

/// The only port that the C library uses.
const PORT: u16 = 53;
const ADDRESS: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// The answer for a name.
#[derive(Clone, Debug)]
pub enum Answer {
    Addresses(Vec<Ipv4Addr>),
    NoSuchName,
    Failure,
    Silence,
}

type Names = Arc<Mutex<BTreeMap<String, Answer>>>;

/// A running name server, which ends with this process.
pub struct Resolver {
    names: Names,
}

impl Resolver {
    pub fn start() -> io::Result<Self> {
        let socket = UdpSocket::bind((ADDRESS, PORT))?;
        let names = Names::default();
        let shared = Arc::clone(&names);
        thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, sender)) = socket.recv_from(&mut query) {
                if let Some(answer) = answer(&query[..length], &shared.lock()) {
                    // The sender may have closed its socket.
                    let _ = socket.send_to(&answer, sender);
                }
            }
        });
        Ok(Self { names })
    }

    /// Returns the text of `/etc/resolv.conf`, with the default timeouts.
    pub fn configuration(&self) -> String {
        format!("nameserver {ADDRESS}\n")
    }

    /// Sets the `answer` for `name`.
    pub fn set(&self, name: &str, answer: Answer) {
        self.names.lock().insert(name.to_owned(), answer);
    }
}

/// Returns the answer to `query` (RFC 1035, 4.1), if there is one. It has only IPv4 addresses.
fn answer(query: &[u8], names: &BTreeMap<String, Answer>) -> Option<Vec<u8>> {
    let (name, end) = question(query)?;
    let (code, addresses): (u8, &[Ipv4Addr]) = match names.get(&name) {
        Some(Answer::Silence) => return None,
        Some(Answer::Failure) => (2, &[]),
        Some(Answer::NoSuchName) | None => (3, &[]),
        Some(Answer::Addresses(addresses)) => (0, addresses),
    };
    let is_ipv4 = query.get(end..end + 2)? == [0, 1];
    let addresses = if is_ipv4 { addresses } else { &[] };
    let mut reply = query.get(..2)?.to_vec();
    // Flags: a response, recursion desired and available.
    reply.extend([
        0x81,
        0x80 | code,
        0,
        1,
        0,
        u8::try_from(addresses.len()).ok()?,
    ]);
    reply.extend([0, 0, 0, 0]);
    reply.extend(query.get(12..end + 4)?);
    for address in addresses {
        // The name of the question, type A, class IN, a TTL of zero, four bytes.
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        reply.extend(address.octets());
    }
    Some(reply)
}

/// Returns the name in the query, and the position after the name.
fn question(query: &[u8]) -> Option<(String, usize)> {
    let (mut labels, mut at) = (Vec::new(), 12);
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        let label = query.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).to_lowercase());
        at += length;
    }
}
