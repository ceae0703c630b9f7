//! A metadata service that does not exist: an address that answers nothing, as outside of Alibaba Cloud.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ack_ram_tests::callers::CLUSTER;
use tokio::net::{TcpListener, TcpSocket};

use crate::measure::median;
use crate::{BoxError, Client};

/// How long a connection may take before the address counts as silent.
const SILENCE: Duration = Duration::from_millis(500);
/// The queue of a listener holds fewer connections.
const MAX_CONNECTIONS: usize = 16;

/// Measures how long a command takes to give up.
pub(crate) fn measure(client: &Client, home: &Path, runs: usize) -> Result<String, BoxError> {
    fs::create_dir_all(home)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let _inside = runtime.enter();
    let silent = SilentAddress::open()?;
    let mut times = Vec::new();
    for _ in 0..runs {
        let mut command = Command::new(&client.path);
        command
            .args(["credential-plugin", "get-token", "--cluster-id", CLUSTER])
            .args(["--credential-type", "imds"])
            .env_clear()
            .env("HOME", home)
            .env(
                "ALIBABA_CLOUD_IMDS_ENDPOINT",
                format!("http://{}", silent.address),
            )
            .arg("--no-cache")
            .stdin(Stdio::null());
        let started = Instant::now();
        let output = command.output()?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
        if output.status.code() != Some(1) {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
    }
    Ok(format!(
        "no metadata service (an address that answers nothing): {:.0} ms",
        median(times)
    ))
}

/// An address on loopback that drops the packets of new connections, because the queue of its listener is full.
struct SilentAddress {
    address: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl SilentAddress {
    fn open() -> Result<Self, BoxError> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let listener = socket.listen(1)?;
        let address = listener.local_addr()?;
        let mut queued = Vec::new();
        while queued.len() < MAX_CONNECTIONS {
            match TcpStream::connect_timeout(&address, SILENCE) {
                Ok(stream) => queued.push(stream),
                Err(_) => {
                    return Ok(Self {
                        address,
                        _listener: listener,
                        _queued: queued,
                    });
                }
            }
        }
        Err("the queue of the listener does not fill".into())
    }
}
