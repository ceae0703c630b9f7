//! Runs commands in turn, and takes the medians.

use std::time::Instant;

use ack_ram_tests::sts::Emulator;
use ack_ram_tests::usage::peak_memory;
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use crate::BoxError;
use crate::cases::{Case, Source};

/// How often the peak of the memory is measured, which varies little.
const MEMORY_RUNS: usize = 5;

/// The medians of a command.
pub(crate) struct Measured {
    /// From the start to the exit, in milliseconds.
    pub(crate) time: f64,
    /// The CPU time of the process, in milliseconds.
    pub(crate) cpu: f64,
    /// The peak of the resident memory, in KiB.
    pub(crate) peak_kib: u64,
}

/// Measures all commands. Fails if a command fails, or if it connects to STS for a key that is in the cache.
pub(crate) fn all(cases: &[Case], runs: usize, sts: &Emulator) -> Result<Vec<Measured>, BoxError> {
    let mut times = vec![Vec::new(); cases.len()];
    let mut cpus = vec![Vec::new(); cases.len()];
    // The first round is not counted: it fills the caches of the system and of the client.
    for round in 0..=runs {
        for ((case, times), cpus) in cases.iter().zip(&mut times).zip(&mut cpus) {
            case.prepare()?;
            let connections = sts.connections();
            let before = cpu_of_children()?;
            let started = Instant::now();
            let status = case.command().status()?;
            let time = started.elapsed().as_secs_f64() * 1e3;
            let cpu = cpu_of_children()? - before;
            if !status.success() {
                return Err(format!("{}, {}: {status}", case.program, case.name).into());
            }
            if round == 0 {
                continue;
            }
            let expected = usize::from(case.source == Some(Source::ColdRole));
            let opened = sts.connections() - connections;
            if opened != expected {
                let name = case.name;
                return Err(format!("{name}: {opened} connections, expected {expected}").into());
            }
            times.push(time);
            cpus.push(cpu);
        }
    }
    let mut measured = Vec::new();
    for ((case, times), cpus) in cases.iter().zip(times).zip(cpus) {
        let mut peaks = Vec::new();
        for _ in 0..MEMORY_RUNS {
            case.prepare()?;
            peaks.push(peak_memory(case.command())? as f64);
        }
        measured.push(Measured {
            time: median(times),
            cpu: median(cpus),
            peak_kib: median(peaks) as u64,
        });
    }
    Ok(measured)
}

/// Returns the CPU time of all children that have ended, in milliseconds.
fn cpu_of_children() -> Result<f64, BoxError> {
    let usage: Usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(micros as f64 / 1e3)
}

/// Returns the median; the larger of two middle figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Formats a number of bytes, such as `12.3 MB`.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
