//! Clocks that jump: only the server's clock, or all clocks.

use std::fs;
use std::path::{Path, PathBuf};

use ack_ram_tests::callers::{Caller, Outcome, outcome};
use ack_ram_tests::sts::Emulator;
use ack_ram_tests::tools::Tool;

use crate::fixture::Meanwhile::Granted;
use crate::fixture::{FaultFixture, Plan};
use crate::matrix::{Fail, Figures, Matrix};

const FAKETIME: Tool = Tool {
    name: "libfaketimeMT.so.1",
    variable: "ACK_RAM_FAKETIME",
};

const MINUTE: i64 = 60;
/// Less than a day, so that the certificate of the server is valid for clients with either clock.
const HOURS: i64 = 20 * 60 * MINUTE;

pub fn rows(matrix: &mut Matrix) {
    for (name, jump) in [
        ("clock: the server's ten minutes ahead", 10 * MINUTE),
        ("clock: the server's ten minutes back", -10 * MINUTE),
    ] {
        matrix.row(name, move || small_jump(jump));
    }
    for (name, jump) in [
        ("clock: the server's twenty hours ahead", HOURS),
        ("clock: the server's twenty hours back", -HOURS),
    ] {
        matrix.row(name, move || large_jump(jump));
    }
    for (name, jump) in [
        ("clock: all clocks twenty hours ahead", HOURS),
        ("clock: all clocks twenty hours back", -HOURS),
    ] {
        matrix.row(name, move || jump_of_all_clocks(jump));
    }
}

/// The clock of the server process, which continues from the time that is set. Monotonic time does not jump.
struct ServerClock(PathBuf);

impl ServerClock {
    fn jump(&self, seconds: i64) -> Result<(), Fail> {
        let new = self.0.with_extension("new");
        fs::write(&new, format!("{seconds:+}\n"))?;
        Ok(fs::rename(new, &self.0)?)
    }
}

async fn fixture() -> Result<(FaultFixture, ServerClock), Fail> {
    let plan = Plan {
        variables: vec![
            ("LD_PRELOAD", FAKETIME.path()),
            ("FAKETIME_TIMESTAMP_FILE", Path::new("clock").to_owned()),
            ("FAKETIME_NO_CACHE", Path::new("1").to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", Path::new("1").to_owned()),
            ("FAKETIME_DISABLE_SHM", Path::new("1").to_owned()),
        ],
        ..Plan::default()
    };
    let mut fixture = FaultFixture::prepare(Emulator::builder().demo().start()?, plan)?;
    let clock = ServerClock(fixture.folder().join("clock"));
    clock.jump(0)?;
    fixture.start_server()?;
    fixture.cache_tokens().await?;
    Ok((fixture, clock))
}

/// Moves the server's clock within its tolerance.
async fn small_jump(jump: i64) -> Result<Figures, Fail> {
    let (fixture, clock) = fixture().await?;
    clock.jump(jump)?;
    fixture.run(Granted, |_| clock.jump(0)).await
}

/// Moves the server's clock beyond its tolerance. All logins are denied with an error that has both times, and granted
/// as soon as the clock is right again.
async fn large_jump(jump: i64) -> Result<Figures, Fail> {
    let (fixture, clock) = fixture().await?;
    clock.jump(jump)?;
    let fresh = Caller::MAPPED.map(|caller| (caller, fixture.client.token(caller)));
    for (caller, token) in fresh.iter().chain(&fixture.known) {
        let reply = fixture.webhook()?.review(token).await?;
        let error = reply.body["status"]["error"].as_str().unwrap_or_default();
        if outcome(&reply) != Some(Outcome::Denied) || !error.contains("the server's time is") {
            return Err(format!("{caller:?} got: {}", reply.body).into());
        }
    }
    for caller in Caller::REJECTED {
        fixture.client.review_new_token(caller).await?;
    }
    clock.jump(0)?;
    let recovered = fixture.recovered().await?;
    let figures = fixture.end(Default::default(), recovered).await?;
    let note = "the error has both times".to_owned();
    Ok(Figures { note, ..figures })
}

/// Moves all clocks, as after a long suspend or a correction of the clock. Earlier tokens are not valid any more.
async fn jump_of_all_clocks(jump: i64) -> Result<Figures, Fail> {
    let (mut fixture, clock) = fixture().await?;
    let before = fixture.known.clone();
    clock.jump(jump)?;
    fixture.sts.advance(jump);
    for (caller, token) in &before {
        let reply = fixture.webhook()?.review(token).await?;
        if outcome(&reply) != Some(Outcome::Denied) {
            return Err(format!("{caller:?} with an earlier token: {}", reply.body).into());
        }
    }
    fixture.cache_tokens().await?;
    fixture
        .run(Granted, |fixture| {
            fixture.sts.advance(-jump);
            clock.jump(0)
        })
        .await
}
