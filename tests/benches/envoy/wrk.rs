//! The load generator wrk, and its output.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ack_ram_tests::tools::Tool;

use crate::BoxError;

const WRK: Tool = Tool {
    name: "wrk",
    variable: "ACK_RAM_WRK",
};

/// The figures of one or several rounds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) requests: u64,
    pub(crate) took: Duration,
    pub(crate) cpu: Duration,
    /// The median latency; the mean of several rounds.
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Figures {
    pub(crate) fn sum(rounds: &[Self]) -> Self {
        let count = u32::try_from(rounds.len().max(1)).unwrap_or(u32::MAX);
        let sum = |part: fn(&Self) -> Duration| rounds.iter().map(part).sum::<Duration>();
        Self {
            requests: rounds.iter().map(|round| round.requests).sum(),
            took: sum(|round| round.took),
            cpu: sum(|round| round.cpu),
            p50: sum(|round| round.p50) / count,
            p99: sum(|round| round.p99) / count,
        }
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.requests as f64 / self.took.as_secs_f64()
    }

    pub(crate) fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.requests as f64
    }
}

/// Sends requests of the Lua `script` to `url` for `time`. Returns an error if a reply does not have status 200.
pub(crate) fn run(
    url: &str,
    script: &Path,
    connections: usize,
    time: Duration,
) -> Result<Figures, BoxError> {
    let mut command = Command::new(WRK.path());
    command
        .args(["--latency", "--threads", "1", "--timeout", "10s"])
        .arg(format!("--connections={connections}"))
        .arg(format!("--duration={}s", time.as_secs()))
        .arg("--script")
        .arg(script)
        .arg(url);
    let output = command.output()?;
    let text = String::from_utf8(output.stdout)?;
    let problem = ["Non-2xx", "Socket errors"]
        .into_iter()
        .find(|problem| text.contains(problem));
    if !output.status.success() || problem.is_some() {
        return Err(format!("wrk: {text}{}", String::from_utf8_lossy(&output.stderr)).into());
    }
    parse(&text).ok_or_else(|| format!("unknown output of wrk: {text}").into())
}

fn parse(text: &str) -> Option<Figures> {
    let quantile = |name: &str| {
        let mut words = text.lines().find_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some(name)).then_some(words)
        })?;
        duration(words.next()?)
    };
    let total = text.lines().find(|line| line.contains(" requests in "))?;
    let mut words = total.split_whitespace();
    let requests = words.next()?.parse().ok()?;
    let took = duration(words.nth(2)?.trim_end_matches(','))?;
    Some(Figures {
        requests,
        took,
        cpu: Duration::ZERO,
        p50: quantile("50%")?,
        p99: quantile("99%")?,
    })
}

/// Parses a duration such as `1.50ms`.
fn duration(text: &str) -> Option<Duration> {
    let unit = text.find(|sign: char| sign.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(unit);
    let seconds = match unit {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()
}
