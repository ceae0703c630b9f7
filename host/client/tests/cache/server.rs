//! A service on loopback that issues keys and counts the calls.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// How long an event may take. On an idle machine, each event takes a small part of it.
const LIMIT: Duration = Duration::from_secs(120);

/// A call.
pub(crate) struct Call {
    /// Its number, from 1.
    pub(crate) number: usize,
    /// The path without the query.
    pub(crate) path: String,
}

/// A reply: status and body.
pub(crate) type Reply = (u16, String);

/// A number that only grows, and that threads wait for.
#[derive(Default)]
pub(crate) struct Counter(Mutex<usize>, Condvar);

impl Counter {
    pub(crate) fn add(&self) -> usize {
        let mut number = self.0.lock().unwrap();
        *number += 1;
        self.1.notify_all();
        *number
    }

    pub(crate) fn get(&self) -> usize {
        *self.0.lock().unwrap()
    }

    pub(crate) fn wait_for(&self, number: usize) {
        let current = self.0.lock().unwrap();
        let (current, _) = self
            .1
            .wait_timeout_while(current, LIMIT, |current| *current < number)
            .unwrap();
        assert!(*current >= number, "{} of {number} events", *current);
    }
}

/// The service. Its threads end with the test process.
pub(crate) struct Server {
    pub(crate) port: u16,
    calls: Arc<Counter>,
}

impl Server {
    pub(crate) fn start(reply: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let calls = Arc::new(Counter::default());
        let (reply, counter) = (Arc::new(reply), Arc::clone(&calls));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (reply, counter) = (Arc::clone(&reply), Arc::clone(&counter));
                // The client may have been killed.
                thread::spawn(move || serve(stream?, &*reply, &counter));
            }
        });
        Self { port, calls }
    }

    /// Returns the number of calls.
    pub(crate) fn calls(&self) -> usize {
        self.calls.get()
    }

    /// Waits until call `number` has arrived.
    pub(crate) fn wait_for_call(&self, number: usize) {
        self.calls.wait_for(number);
    }
}

fn serve(
    stream: TcpStream,
    reply: &dyn Fn(&Call) -> Reply,
    calls: &Counter,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let target = first.split(' ').nth(1).unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim_end().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    reader.read_exact(&mut vec![0; length])?;
    let number = calls.add();
    let (status, body) = reply(&Call { number, path });
    let mut stream = reader.into_inner();
    write!(
        stream,
        "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
