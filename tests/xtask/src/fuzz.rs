//! The fuzz targets, each under libFuzzer for a while.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::cargo::cargo;
use crate::failure::Failure;
use crate::run::Runner;
use crate::tools::cargo_program::CARGO_FUZZ;
use crate::workspace::Workspace;

const FOLDER: &str = "core/fuzz";
/// The targets in `core/fuzz/fuzz_targets`.
pub const TARGETS: [&str; 5] = [
    "token",
    "sts_reply",
    "token_review",
    "rules",
    "configuration",
];
/// How long each runs in `cargo xtask test`.
pub const SHORT: Duration = Duration::from_secs(20);
/// For what libFuzzer does before and after.
const MARGIN: Duration = Duration::from_secs(600);

/// The inputs that are made up.
#[derive(Clone, Copy)]
pub enum Order {
    /// The same each time, so that what passed before passes again: for checks.
    Same,
    /// Others each time: to find something.
    Random,
}

/// Runs each of `targets` for `time`, from the seeds and from what earlier runs have found to be new.
///
/// A finding is a failure: its output names the input, which is left beside the corpus.
pub fn run(
    workspace: &Workspace,
    runner: &Runner,
    targets: &[&str],
    time: Duration,
    order: Order,
) -> Result<(), Failure> {
    let format = ["fmt", "--check", "--manifest-path", "core/fuzz/Cargo.toml"];
    runner.run("format fuzz targets", cargo(&format))?;
    let folder = workspace.target.join("fuzz");
    eprintln!("      building the targets (a few minutes the first time)");
    runner.run("build fuzz targets", cargo_fuzz(runner, "build", &folder)?)?;
    for target in targets {
        let corpus = folder.join("corpus").join(target);
        let findings = folder.join("findings").join(target);
        for folder in [&corpus, &findings] {
            fs::create_dir_all(folder).map_err(Failure::io(folder.display().to_string()))?;
        }
        let mut command = cargo_fuzz(runner, "run", &folder)?;
        command
            .arg(target)
            .arg(&corpus)
            .arg("--")
            .arg(format!("-max_total_time={}", time.as_secs()))
            .arg(format!("-artifact_prefix={}/", findings.display()))
            .args(["-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"])
            .env("ACK_RAM_FUZZ_SEEDS", &corpus);
        if let Order::Same = order {
            command.arg("-seed=1");
        }
        let finished = runner.finish_within(time + MARGIN, &format!("fuzz {target}"), command)?;
        eprintln!("      {target}: {}", outcome(&finished.output));
        finished.into_success()?;
    }
    Ok(())
}

/// `cargo fuzz <task>` without a sanitizer, so that a stable compiler will do: the code is safe Rust, and what is
/// looked for are panics, hangs and memory without bound.
fn cargo_fuzz(runner: &Runner, task: &str, target_dir: &Path) -> Result<Command, Failure> {
    let mut command = CARGO_FUZZ.command(runner)?;
    command
        // What cargo gives its subcommands.
        .arg("fuzz")
        .arg(task)
        .args([
            "--fuzz-dir",
            FOLDER,
            "--sanitizer",
            "none",
            "--features",
            "libfuzzer",
        ])
        .arg("--target-dir")
        .arg(target_dir);
    Ok(command)
}

/// Executions and coverage, from libFuzzer's last words.
fn outcome(output: &str) -> String {
    let last = |start: &str| {
        let line = output.lines().rev().find(|line| line.starts_with(start));
        line.and_then(|line| line.split_whitespace().nth(1))
    };
    let covered = output.lines().rev().find_map(|line| {
        let (_, rest) = line.split_once(" cov: ")?;
        rest.split_whitespace().next()
    });
    let executions = last("stat::number_of_executed_units:").unwrap_or("?");
    let covered = covered.unwrap_or("?");
    format!("{executions} inputs, {covered} edges covered")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{TARGETS, outcome};

    #[test]
    fn the_last_words_of_libfuzzer() {
        let output = "#2\tINITED cov: 17 ft: 18 corp: 1/1b exec/s: 0 rss: 40Mb\n\
                      #9000\tDONE   cov: 812 ft: 2001 corp: 90/9Kb lim: 80 exec/s: 450 rss: 60Mb\n\
                      stat::number_of_executed_units: 9000\n\
                      stat::average_exec_per_sec:     450";
        assert_eq!(outcome(output), "9000 inputs, 812 edges covered");
        assert_eq!(
            outcome("error: no such target"),
            "? inputs, ? edges covered"
        );
    }

    #[test]
    fn every_target_is_run() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../core/fuzz/fuzz_targets");
        let mut files: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path().file_stem().unwrap().to_owned())
            .collect();
        files.sort();
        let mut targets = TARGETS;
        targets.sort_unstable();
        assert_eq!(files, targets);
    }
}
