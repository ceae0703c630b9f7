//! The machine at fault: no space, no descriptors, no time, nobody who reads the log.

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

use crate::matrix::{Fail, Figures, Matrix};
use crate::world::Meanwhile::{self, Granted};
use crate::world::{Plan, World};

pub fn rows(matrix: &mut Matrix) {
    matrix.row("disk: full under the log and the state", full_disk);
    matrix.row("disk: full when it starts again", full_disk_at_restart);
    matrix.row(
        "disk: full when it starts for the first time",
        full_disk_at_first_start,
    );
    matrix.row("log: its reader has gone", || log_by_pipe("head -n 1"));
    matrix.row("log: its reader is stuck", || log_by_pipe("sleep 600"));
    matrix.row("descriptors: none left", no_descriptors);
    matrix.row("descriptors: few, and many clients", few_descriptors);
    matrix.row("process: stopped for three seconds", stopped_for_a_while);
}

/// Room for the state and for a little log.
const DISK: usize = 64 * 1024;

fn sts() -> Result<Emulator, Fail> {
    Ok(Emulator::builder().demo().start()?)
}

/// Leaves no byte free in the folder of the state.
fn fill(world: &World) -> Result<(), Fail> {
    let mut file = File::create(filling(world))?;
    while file.write_all(&[0]).is_ok() {}
    Ok(())
}

fn make_room(world: &World) -> Result<(), Fail> {
    Ok(fs::remove_file(filling(world))?)
}

fn filling(world: &World) -> PathBuf {
    world.folder().join("state/filling")
}

async fn full_disk() -> Result<Figures, Fail> {
    let plan = Plan {
        disk: Some(DISK),
        script: "exec \"$@\" 2> state/log",
        ..Plan::default()
    };
    let mut world = World::prepare(sts()?, plan)?;
    world.start_server_unheard().await?;
    world.remember().await?;
    fill(&world)?;
    world.run(Granted, make_room).await
}

async fn full_disk_at_restart() -> Result<Figures, Fail> {
    let plan = Plan {
        disk: Some(DISK),
        ..Plan::default()
    };
    let mut world = World::start_with(sts()?, plan).await?;
    fill(&world)?;
    world.take_server().kill();
    world.start_server()?;
    // The callers' connections ended with the other server.
    world.recovered().await?;
    world.remember().await?;
    world.run(Granted, make_room).await
}

/// It says why it does not start, and leaves nothing that would stop the next start.
async fn full_disk_at_first_start() -> Result<Figures, Fail> {
    let plan = Plan {
        disk: Some(DISK),
        ..Plan::default()
    };
    let mut world = World::prepare(sts()?, plan)?;
    let pair = ["cert.pem", "key.pem"].map(|name| world.folder().join("state").join(name));
    for file in &pair {
        fs::remove_file(file)?;
    }
    fill(&world)?;
    let ended = world.command().output()?;
    let says = String::from_utf8_lossy(&ended.stderr);
    let is_told = says.contains("No space left on device") && says.contains("state");
    if ended.status.code() != Some(1) || !is_told || pair.iter().any(|file| file.exists()) {
        return Err(format!("{}: {says}", ended.status).into());
    }
    make_room(&world)?;
    world.start_server()?;
    world.asker = world.asker.at(world.webhook()?);
    world.remember().await?;
    let recovered = world.recovered().await?;
    let figures = world.end(Default::default(), recovered).await?;
    let note = "said why it did not start".to_owned();
    Ok(Figures { note, ..figures })
}

/// A log that goes through a pipe to `reader`, which reads little or nothing.
async fn log_by_pipe(reader: &str) -> Result<Figures, Fail> {
    let plan = Plan {
        script: "mkfifo log; $READER < log > /dev/null & exec \"$@\" 2> log",
        variables: vec![("READER", PathBuf::from(reader))],
        ..Plan::default()
    };
    let mut world = World::prepare(sts()?, plan)?;
    world.start_server_unheard().await?;
    world.remember().await?;
    // A line for each: more than fits into a pipe.
    for _ in 0..1_000 {
        world.asker.ask_anew(Caller::Garbage).await?;
    }
    world.run(Granted, |_| Ok(())).await
}

/// Sets how many descriptors the server may have from now on.
fn limit_descriptors(world: &World, soft: &str) -> Result<(), Fail> {
    let pid = world.server().pid().to_string();
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

async fn connect(world: &World, count: usize) -> Result<Vec<TcpStream>, Fail> {
    let mut connections = Vec::new();
    for _ in 0..count {
        connections.push(TcpStream::connect(("127.0.0.1", world.port)).await?);
    }
    Ok(connections)
}

/// Fewer than it has open: whatever it would open from now on, it cannot.
async fn no_descriptors() -> Result<Figures, Fail> {
    let world = World::start().await?;
    limit_descriptors(&world, "10")?;
    world.sts.cut_connections();
    let waiting = connect(&world, 50).await?;
    let tally = world.everybody_asks().await;
    Meanwhile::Unable.check(&tally)?;
    limit_descriptors(&world, "1024")?;
    drop(waiting);
    let newcomer = world.asker.at(world.webhook()?);
    let recovered = world.recovered_as(&newcomer).await?;
    world.end(tally, recovered).await
}

async fn few_descriptors() -> Result<Figures, Fail> {
    let plan = Plan {
        script: "ulimit -n 64; exec \"$@\"",
        ..Plan::default()
    };
    let world = World::start_with(sts()?, plan).await?;
    let waiting = connect(&world, 300).await?;
    let tally = world.everybody_asks().await;
    Granted.check(&tally)?;
    drop(waiting);
    let newcomer = world.asker.at(world.webhook()?);
    let recovered = world.recovered_as(&newcomer).await?;
    world.end(tally, recovered).await
}

async fn stopped_for_a_while() -> Result<Figures, Fail> {
    let world = World::start().await?;
    let pid = Pid::from_raw(i32::try_from(world.server().pid())?);
    let stopping = async {
        sleep(Duration::from_millis(500)).await;
        kill(pid, Signal::SIGSTOP)?;
        sleep(Duration::from_secs(3)).await;
        kill(pid, Signal::SIGCONT)?;
        Ok::<_, Fail>(())
    };
    let (tally, stopped) = tokio::join!(world.everybody_asks(), stopping);
    stopped?;
    Meanwhile::Some.check(&tally)?;
    let recovered = world.recovered().await?;
    world.end(tally, recovered).await
}
