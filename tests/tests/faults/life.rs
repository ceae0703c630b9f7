//! The server stops and starts again under load.

use std::time::Duration;

use ack_ram_tests::authenticator::Authenticator;
use ack_ram_tests::traffic::Traffic;
use tokio::time::sleep;

use crate::fixture::FaultFixture;
use crate::matrix::{Fail, Figures, Matrix};

/// Number of stops.
const TIMES: usize = 3;

pub fn rows(matrix: &mut Matrix) {
    matrix.row("life: SIGTERM under load, three times", || row(stop));
    matrix.row("life: kill -9 under load, three times", || row(kill));
}

fn stop(server: Authenticator) -> Result<(), Fail> {
    let ended = server.stop()?;
    if ended.success() {
        Ok(())
    } else {
        Err(format!("the server exited with {ended}").into())
    }
}

fn kill(server: Authenticator) -> Result<(), Fail> {
    server.kill();
    Ok(())
}

/// Stops and starts the server repeatedly. The next server has the same CA, so the callers, who trust only this CA, are
/// granted again.
async fn row(end: fn(Authenticator) -> Result<(), Fail>) -> Result<Figures, Fail> {
    let mut fixture = FaultFixture::start().await?;
    let ca = std::fs::read(fixture.ca())?;
    let traffic = Traffic::start(&fixture.client, 4, &fixture.known, Duration::from_millis(5));
    for _ in 0..TIMES {
        sleep(Duration::from_millis(700)).await;
        let server = fixture.take_server();
        tokio::task::spawn_blocking(move || end(server)).await??;
        let before = traffic.tally();
        fixture.start_server()?;
        let later = loop {
            let now = traffic.tally();
            if now.fresh.granted > before.fresh.granted + 10 || !now.violations.is_empty() {
                break now;
            }
            sleep(Duration::from_millis(10)).await;
        };
        if !later.violations.is_empty() {
            return Err(later.violations.join("; ").into());
        }
    }
    let tally = traffic.stop().await;
    if !tally.violations.is_empty() {
        return Err(tally.violations.join("; ").into());
    }
    if std::fs::read(fixture.ca())? != ca {
        return Err("the CA has changed".into());
    }
    let recovered = fixture.recovered().await?;
    fixture.end(tally, recovered).await
}
