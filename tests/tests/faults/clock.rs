//! Clocks that jump: the server's own, or everybody's.

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
/// Less than a day: the certificate that the server had before is good at both ends, for clients with either clock.
const HOURS: i64 = 20 * 60 * MINUTE;

pub fn rows(matrix: &mut Matrix) {
    for (name, jump) in [
        ("clock: the server's ten minutes ahead", 10 * MINUTE),
        ("clock: the server's ten minutes back", -10 * MINUTE),
    ] {
        matrix.row(name, move || a_little_wrong(jump));
    }
    for (name, jump) in [
        ("clock: the server's twenty hours ahead", HOURS),
        ("clock: the server's twenty hours back", -HOURS),
    ] {
        matrix.row(name, move || quite_wrong(jump));
    }
    for (name, jump) in [
        ("clock: everybody's twenty hours ahead", HOURS),
        ("clock: everybody's twenty hours back", -HOURS),
    ] {
        matrix.row(name, move || of_everybody(jump));
    }
}

/// The time of the server's process, which goes on from where it is put. Deadlines do not jump with it.
struct ServersClock(PathBuf);

impl ServersClock {
    fn jump(&self, seconds: i64) -> Result<(), Fail> {
        let new = self.0.with_extension("new");
        fs::write(&new, format!("{seconds:+}\n"))?;
        Ok(fs::rename(new, &self.0)?)
    }
}

async fn fixture() -> Result<(FaultFixture, ServersClock), Fail> {
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
    let clock = ServersClock(fixture.folder().join("clock"));
    clock.jump(0)?;
    fixture.start_server()?;
    fixture.cache_tokens().await?;
    Ok((fixture, clock))
}

/// Within the margin that core has for it.
async fn a_little_wrong(jump: i64) -> Result<Figures, Fail> {
    let (fixture, clock) = fixture().await?;
    clock.jump(jump)?;
    fixture.run(Granted, |_| clock.jump(0)).await
}

/// Whoever comes is told what the clocks say, and is let in as soon as the server's is right.
async fn quite_wrong(jump: i64) -> Result<Figures, Fail> {
    let (fixture, clock) = fixture().await?;
    clock.jump(jump)?;
    let fresh = Caller::MAPPED.map(|caller| (caller, fixture.client.token(caller)));
    for (caller, token) in fresh.iter().chain(&fixture.known) {
        let reply = fixture.webhook()?.review(token).await?;
        let says = reply.body["status"]["error"].as_str().unwrap_or_default();
        if outcome(&reply) != Some(Outcome::Denied) || !says.contains("here") {
            return Err(format!("{caller:?} was told: {}", reply.body).into());
        }
    }
    for caller in Caller::REJECTED {
        fixture.client.review_new_token(caller).await?;
    }
    clock.jump(0)?;
    let recovered = fixture.recovered().await?;
    let figures = fixture.end(Default::default(), recovered).await?;
    let note = "told what the clocks say".to_owned();
    Ok(Figures { note, ..figures })
}

/// As after a machine's long sleep, or when its clock is put right. What was known before is out of date.
async fn of_everybody(jump: i64) -> Result<Figures, Fail> {
    let (mut fixture, clock) = fixture().await?;
    let before = fixture.known.clone();
    clock.jump(jump)?;
    fixture.sts.advance(jump);
    for (caller, token) in &before {
        let reply = fixture.webhook()?.review(token).await?;
        if outcome(&reply) != Some(Outcome::Denied) {
            return Err(format!("{caller:?} with a token of before: {}", reply.body).into());
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
