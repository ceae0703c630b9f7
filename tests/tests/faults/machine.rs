//! Faults of the machine: no disk space, no file descriptors, no CPU time, and a log without a reader.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use ack_ram_tests::callers::Caller;
use ack_ram_tests::sts::Emulator;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::fixture::Meanwhile::{self, Granted};
use crate::fixture::{FaultFixture, Plan};
use crate::matrix::{Fail, Figures, Matrix};

pub fn rows(matrix: &mut Matrix) {
    matrix.row("disk: full under the log and the state", full_disk);
    matrix.row("disk: full at a restart", full_disk_at_restart);
    matrix.row("disk: full at the first start", full_disk_at_first_start);
    matrix.row("log: its reader has exited", || log_by_pipe("head -n 1"));
    matrix.row("log: its reader is stuck", || log_by_pipe("sleep 600"));
    matrix.row("descriptors: none left", no_descriptors);
    matrix.row("descriptors: few, and many clients", few_descriptors);
    matrix.row("process: stopped for three seconds", stopped_for_a_while);
}

/// Enough for the state and a short log.
const DISK: usize = 64 * 1024;

fn sts() -> Result<Emulator, Fail> {
    Ok(Emulator::builder().demo().start()?)
}

/// Fills the disk of the state directory.
fn fill(fixture: &FaultFixture) -> Result<(), Fail> {
    let mut file = File::create(filling(fixture))?;
    while file.write_all(&[0]).is_ok() {}
    Ok(())
}

fn make_room(fixture: &FaultFixture) -> Result<(), Fail> {
    Ok(fs::remove_file(filling(fixture))?)
}

fn filling(fixture: &FaultFixture) -> PathBuf {
    fixture.folder().join("state/filling")
}

async fn full_disk() -> Result<Figures, Fail> {
    let plan = Plan {
        disk: Some(DISK),
        script: "exec \"$@\" 2> state/log",
        ..Plan::default()
    };
    let mut fixture = FaultFixture::prepare(sts()?, plan)?;
    fixture.start_server_without_log().await?;
    fixture.cache_tokens().await?;
    fill(&fixture)?;
    fixture.run(Granted, make_room).await
}

async fn full_disk_at_restart() -> Result<Figures, Fail> {
    let plan = Plan {
        disk: Some(DISK),
        ..Plan::default()
    };
    let mut fixture = FaultFixture::start_with(sts()?, plan).await?;
    fill(&fixture)?;
    fixture.take_server().kill();
    fixture.start_server()?;
    // The connections of the callers ended with the other server.
    fixture.recovered().await?;
    fixture.cache_tokens().await?;
    fixture.run(Granted, make_room).await
}

/// Checks that the server reports why it does not start, and leaves no files that would prevent the next start.
async fn full_disk_at_first_start() -> Result<Figures, Fail> {
    let plan = Plan {
        disk: Some(DISK),
        ..Plan::default()
    };
    let mut fixture = FaultFixture::prepare(sts()?, plan)?;
    let pair = ["cert.pem", "key.pem"].map(|name| fixture.folder().join("state").join(name));
    for file in &pair {
        fs::remove_file(file)?;
    }
    fill(&fixture)?;
    let ended = fixture.command().output()?;
    let stderr = String::from_utf8_lossy(&ended.stderr);
    let is_reported = stderr.contains("No space left on device") && stderr.contains("state");
    if ended.status.code() != Some(1) || !is_reported || pair.iter().any(|file| file.exists()) {
        return Err(format!("{}: {stderr}", ended.status).into());
    }
    make_room(&fixture)?;
    fixture.start_server()?;
    fixture.client = fixture.client.at(fixture.webhook()?);
    fixture.cache_tokens().await?;
    let recovered = fixture.recovered().await?;
    let figures = fixture.end(Default::default(), recovered).await?;
    let note = "reported why it did not start".to_owned();
    Ok(Figures { note, ..figures })
}

/// Sends the log through a pipe to `reader`, which reads little or nothing.
async fn log_by_pipe(reader: &str) -> Result<Figures, Fail> {
    let plan = Plan {
        script: "mkfifo log; $READER < log > /dev/null & exec \"$@\" 2> log",
        variables: vec![("READER", PathBuf::from(reader))],
        ..Plan::default()
    };
    let mut fixture = FaultFixture::prepare(sts()?, plan)?;
    fixture.start_server_without_log().await?;
    fixture.cache_tokens().await?;
    // More log lines than fit into a pipe.
    for _ in 0..1_000 {
        fixture
            .client
            .review_new_token(Caller::MalformedToken)
            .await?;
    }
    fixture.run(Granted, |_| Ok(())).await
}

/// Sets the limit on file descriptors of the server.
fn limit_descriptors(fixture: &FaultFixture, soft: &str) -> Result<(), Fail> {
    let pid = fixture.server().pid().to_string();
    let limit = format!("--nofile={soft}:");
    let set = Command::new("prlimit")
        .args(["--pid", &pid, &limit])
        .status()?;
    if set.success() {
        Ok(())
    } else {
        Err(format!("prlimit: {set}").into())
    }
}

async fn connect(fixture: &FaultFixture, count: usize) -> Result<Vec<TcpStream>, Fail> {
    let mut connections = Vec::new();
    for _ in 0..count {
        connections.push(TcpStream::connect(("127.0.0.1", fixture.port)).await?);
    }
    Ok(connections)
}

/// Sets the limit below the number of open descriptors, so that the server cannot open another one.
async fn no_descriptors() -> Result<Figures, Fail> {
    let fixture = FaultFixture::start().await?;
    limit_descriptors(&fixture, "10")?;
    fixture.sts.cut_connections();
    let waiting = connect(&fixture, 50).await?;
    let tally = fixture.run_traffic().await;
    Meanwhile::Unavailable.check(&tally)?;
    limit_descriptors(&fixture, "1024")?;
    drop(waiting);
    let new_client = fixture.client.at(fixture.webhook()?);
    let recovered = fixture.recovered_as(&new_client).await?;
    fixture.end(tally, recovered).await
}

async fn few_descriptors() -> Result<Figures, Fail> {
    let plan = Plan {
        script: "ulimit -n 64; exec \"$@\"",
        ..Plan::default()
    };
    let fixture = FaultFixture::start_with(sts()?, plan).await?;
    let waiting = connect(&fixture, 300).await?;
    let tally = fixture.run_traffic().await;
    Granted.check(&tally)?;
    drop(waiting);
    let new_client = fixture.client.at(fixture.webhook()?);
    let recovered = fixture.recovered_as(&new_client).await?;
    fixture.end(tally, recovered).await
}

async fn stopped_for_a_while() -> Result<Figures, Fail> {
    let fixture = FaultFixture::start().await?;
    let pid = Pid::from_raw(i32::try_from(fixture.server().pid())?);
    let stopping = async {
        sleep(Duration::from_millis(500)).await;
        kill(pid, Signal::SIGSTOP)?;
        sleep(Duration::from_secs(3)).await;
        kill(pid, Signal::SIGCONT)?;
        Ok::<_, Fail>(())
    };
    let (tally, stopped) = tokio::join!(fixture.run_traffic(), stopping);
    stopped?;
    Meanwhile::Some.check(&tally)?;
    let recovered = fixture.recovered().await?;
    fixture.end(tally, recovered).await
}
