//! A name server that answers, or fails to, as it is told.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

/// The C library asks on this port alone.
const PORT: u16 = 53;
const ADDRESS: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// What is said of a name.
#[derive(Clone, Debug)]
pub enum Answer {
    Addresses(Vec<Ipv4Addr>),
    NoSuchName,
    Failure,
    Silence,
}

type Names = Arc<Mutex<BTreeMap<String, Answer>>>;

/// Runs for as long as this process.
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
            while let Ok((length, asker)) = socket.recv_from(&mut query) {
                if let Some(answer) = answer(&query[..length], &shared.lock()) {
                    // Who asked may have gone.
                    let _ = socket.send_to(&answer, asker);
                }
            }
        });
        Ok(Self { names })
    }

    /// The text of `/etc/resolv.conf`, with as much patience as is usual.
    pub fn configuration(&self) -> String {
        format!("nameserver {ADDRESS}\n")
    }

    /// Says `answer` of `name` from now on.
    pub fn set(&self, name: &str, answer: Answer) {
        self.names.lock().insert(name.to_owned(), answer);
    }
}

/// What to say to `query` (RFC 1035, 4.1), if anything. Of addresses of another kind than IPv4 there are none.
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
    // A response, recursion desired and available.
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
        // The name is that of the question; type A, class IN, good for no second, four bytes.
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        reply.extend(address.octets());
    }
    Some(reply)
}

/// The name that is asked about, and where it ends.
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
