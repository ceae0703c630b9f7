//! Measurements of single processes: the start and the memory.

use std::process::Stdio;
use std::time::{Duration, Instant};

use ack_ram_tests::authenticator;
use ack_ram_tests::load::Shape;
use ack_ram_tests::usage::Usage;

use crate::BoxError;
use crate::rounds::{median, megabytes};
use crate::servers::Fixture;

/// How long the server may take until its first reply.
const START_LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_micros(500);
/// The number of reviews that warm up a server.
const WARM: usize = 5_000;

/// Measures the time from the start of the server, with a CA in its state directory, until the first reply.
pub(crate) async fn start(fixture: &Fixture, runs: usize) -> Result<String, BoxError> {
    let prepared = fixture.prepare(100)?;
    prepared.start()?.stop()?;
    let load = prepared.load()?;
    let mut times = Vec::new();
    for _ in 0..runs {
        let review = fixture.reviews(1)?;
        let started = Instant::now();
        let mut command =
            authenticator::command(prepared.folder(), &["server", "-c", "config.yaml"]);
        let starting = command.stderr(Stdio::null()).spawn()?;
        let mut starting = Guard(starting);
        let mut clients = loop {
            match load.open(Shape::Connections(1)).await {
                Ok(clients) => break clients,
                Err(error) if started.elapsed() > START_LIMIT => return Err(error),
                Err(_) => tokio::time::sleep(POLL).await,
            }
        };
        clients.send(&review).await?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
        starting.0.kill()?;
        starting.0.wait()?;
    }
    let fastest = times.iter().copied().fold(f64::INFINITY, f64::min);
    Ok(format!(
        "server, from start to first reply: {:.1} ms (fastest {fastest:.1} ms)",
        median(times.into_iter()),
    ))
}

/// A guard that kills a child process when it is dropped.
struct Guard(std::process::Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // The child may have exited already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Measures the memory of a server with `mappings` mappings in its file.
pub(crate) async fn memory(fixture: &Fixture, mappings: usize) -> Result<String, BoxError> {
    let prepared = fixture.prepare(mappings)?;
    let server = prepared.start()?;
    let idle = Usage::read_process(server.pid())?.resident_kib;
    let mut clients = prepared.load()?.open(Shape::Connections(32)).await?;
    clients.send(&fixture.reviews(WARM)?).await?;
    let warm = Usage::read_process(server.pid())?;
    Ok(format!(
        "server, {mappings} mappings: {} after the start, {} after {WARM} reviews on 32 connections, at most {}",
        megabytes(idle),
        megabytes(warm.resident_kib),
        megabytes(warm.peak_kib),
    ))
}
