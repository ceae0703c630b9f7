//! Many commands that start at the same time without a cached key.

use std::path::Path;
use std::time::Instant;

use ack_ram_tests::sts::Emulator;

use crate::cases::{Case, Source, clear_cache};
use crate::measure::median;
use crate::{BoxError, Client};

/// The number of commands that start at the same time.
const COMMANDS: usize = 50;

/// Measures how long all commands take together. Fails if they make more than one call.
pub(crate) fn measure(
    client: &Client,
    home: &Path,
    sts: &Emulator,
    rounds: usize,
) -> Result<String, BoxError> {
    let case = Case::new(Source::ColdRole, client, home.to_owned(), sts)?;
    let mut alone = Vec::new();
    let mut together = Vec::new();
    for _ in 0..rounds {
        alone.push(run(&case, home, sts, 1)?);
        together.push(run(&case, home, sts, COMMANDS)?);
    }
    let (alone, together) = (median(alone), median(together));
    Ok(format!(
        "{COMMANDS} commands at once, a role, no cache: one AssumeRole, {together:.0} ms (one command {alone:.1} ms)"
    ))
}

/// Returns the time in milliseconds until all of `count` commands have ended.
fn run(case: &Case, home: &Path, sts: &Emulator, count: usize) -> Result<f64, BoxError> {
    clear_cache(home)?;
    sts.clear_requests();
    let started = Instant::now();
    let children = (0..count).map(|_| case.command().spawn());
    let children = children.collect::<Result<Vec<_>, _>>()?;
    for mut child in children {
        let status = child.wait()?;
        if !status.success() {
            return Err(format!("{count} commands at once: {status}").into());
        }
    }
    let time = started.elapsed().as_secs_f64() * 1e3;
    match sts.requests().len() {
        1 => Ok(time),
        calls => Err(format!("{count} commands at once: {calls} calls").into()),
    }
}
