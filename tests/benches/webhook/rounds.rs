//! Reviews under load, in rounds in which the servers take turns.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use ack_ram_tests::load::{Clients, LoadReport, Shape};
use ack_ram_tests::usage::{Usage, cpu_time};
use bytes::Bytes;

use crate::BoxError;
use crate::servers::Fixture;

/// The plan of a table.
pub(crate) struct Plan {
    pub(crate) shape: Shape,
    pub(crate) name: &'static str,
    /// The number of reviews for each server in each round.
    pub(crate) reviews: usize,
}

/// The names of the servers.
const SIDES: [&str; 3] = [
    "bare server",
    "review from the cache",
    "review that calls STS",
];
/// The index of the server that the others are compared with.
const BARE: usize = 0;
const STS: usize = 2;

/// The number of tokens that are cached.
const KNOWN: usize = 1_000;

/// A server of a plan, and the connections to it.
struct Side {
    pid: u32,
    clients: Clients,
    rounds: Vec<Round>,
}

/// The measurements of a server in a round.
struct Round {
    cpu: Duration,
    report: LoadReport,
}

/// Runs `plan`, and returns its table.
pub(crate) async fn run(fixture: &Fixture, plan: &Plan, rounds: usize) -> Result<String, BoxError> {
    let bare = fixture.bare()?;
    let cached = fixture.real()?;
    let calling = fixture.real()?;
    let pids = [
        bare.process.pid(),
        cached.authenticator.pid(),
        calling.authenticator.pid(),
    ];
    let known = fixture.reviews(KNOWN)?;
    let mut sides = Vec::new();
    for (load, pid) in [bare.load, cached.load, calling.load].iter().zip(pids) {
        let mut clients = load.open(plan.shape).await?;
        // All servers warm up with the same tokens. One of them gets the same tokens again, from its cache.
        clients.send(&known).await?;
        let rounds = Vec::new();
        sides.push(Side {
            pid,
            clients,
            rounds,
        });
    }
    let known: Arc<[Bytes]> = known.iter().cloned().cycle().take(plan.reviews).collect();
    let sts_before = cpu_time(fixture.sts_pid())?;
    for round in 0..rounds {
        for turn in 0..sides.len() {
            // The order of the servers rotates.
            let index = (turn + round) % sides.len();
            let reviews = match index {
                STS => fixture.reviews(plan.reviews)?,
                _ => Arc::clone(&known),
            };
            let Some(side) = sides.get_mut(index) else {
                continue;
            };
            let before = cpu_time(side.pid)?;
            let report = side.clients.send(&reviews).await?;
            side.rounds.push(Round {
                cpu: cpu_time(side.pid)?.saturating_sub(before) / u32::try_from(plan.reviews)?,
                report,
            });
        }
        cached.authenticator.forget_log();
        calling.authenticator.forget_log();
    }
    let calls = u32::try_from(plan.reviews * rounds)?;
    let sts = (cpu_time(fixture.sts_pid())? - sts_before) / calls;
    table(plan, &sides, sts)
}

fn table(plan: &Plan, sides: &[Side], sts: Duration) -> Result<String, BoxError> {
    let mut text = format!(
        "{}: {} reviews per round (the STS emulator takes {:.0} us of CPU per call)\n",
        plan.name,
        plan.reviews,
        micros(sts),
    );
    writeln!(
        text,
        "{:<24}{:>12}{:>9}{:>10}{:>10}{:>10}{:>11}{:>13}",
        "", "CPU/review", "to bare", "p50", "p99", "p99.9", "reviews/s", "peak memory"
    )?;
    let bare = sides.get(BARE).ok_or("no bare server")?;
    for (name, side) in SIDES.iter().zip(sides) {
        let of = |figure: &dyn Fn(&Round) -> f64| median(side.rounds.iter().map(figure));
        let both = side.rounds.iter().zip(&bare.rounds);
        let ratio = median(both.map(|(here, bare)| micros(here.cpu) / micros(bare.cpu)));
        let latency = |quantile| of(&|round| micros(round.report.latency(quantile)) / 1_000.0);
        writeln!(
            text,
            "{name:<24}{:>9.1} us{ratio:>9.2}{:>7.2} ms{:>7.2} ms{:>7.2} ms{:>11.0}{:>13}",
            of(&|round| micros(round.cpu)),
            latency(0.5),
            latency(0.99),
            latency(0.999),
            of(&|round| plan.reviews as f64 / round.report.took.as_secs_f64()),
            megabytes(Usage::read_process(side.pid)?.peak_kib),
        )?;
    }
    Ok(text.trim_end().to_owned())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Returns the median; the larger of two middle figures.
pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Formats a size, such as `12.3 MB`.
pub(crate) fn megabytes(kib: u64) -> String {
    format!("{:.1} MB", kib as f64 * 1_024.0 / 1e6)
}
