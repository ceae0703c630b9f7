//! `cargo xtask fuzz`: runs each fuzz target under libFuzzer for a limited time.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::cargo::cargo;
use crate::failure::Failure;
use crate::run::Runner;
use crate::summary::seconds;
use crate::tools::cargo_program::CARGO_FUZZ;
use crate::workspace::Workspace;

const MANIFEST: &str = "core/fuzz/Cargo.toml";
/// The targets in `core/fuzz/fuzz_targets`.
pub const TARGETS: [&str; 9] = [
    "token",
    "sts_reply",
    "token_review",
    "rules",
    "configuration",
    "edits",
    "proxy",
    "client_files",
    "client_replies",
];
/// How long each target runs in `cargo xtask test`.
pub const SHORT: Duration = Duration::from_secs(20);
/// The additional time for the start and the end of libFuzzer.
const MARGIN: Duration = Duration::from_secs(600);
/// The number of lines of a target's output that are printed. The log file contains the complete output.
const SHOWN_LINES: usize = 40;

/// The settings of a run.
#[derive(Clone, Copy)]
pub struct Plan {
    /// How long each target runs.
    pub time: Duration,
    /// How many targets run at the same time.
    pub jobs: NonZeroUsize,
    /// The sequence of generated inputs.
    pub order: Order,
}

/// The sequence of generated inputs.
#[derive(Clone, Copy)]
pub enum Order {
    /// The same sequence in each run, for checks with reproducible results.
    Same,
    /// A different sequence in each run, to find new problems.
    Random,
}

/// Runs each of `targets` with the settings `plan`, starting from the seeds and the corpus of earlier runs.
///
/// A finding is a failure, but the other targets still run to their end. The input of a finding is kept in a folder
/// next to the corpus.
pub fn run(
    workspace: &Workspace,
    runner: &Runner,
    targets: &[&'static str],
    plan: Plan,
) -> Result<(), Failure> {
    let format = ["fmt", "--check", "--manifest-path", MANIFEST];
    runner.run("format fuzz targets", cargo(&format))?;
    let fuzzing = Fuzzing {
        runner,
        root: &workspace.root,
        folder: workspace.target.join("fuzz"),
        host: host()?,
        plan,
    };
    eprintln!("      building the targets (a few minutes for the first build)");
    runner.run("build fuzz targets", fuzzing.build()?)?;
    fuzzing.run_all(targets)
}

struct Fuzzing<'a> {
    runner: &'a Runner,
    root: &'a Path,
    /// The folder of the builds and the inputs.
    folder: PathBuf,
    host: String,
    plan: Plan,
}

/// The result of a target.
struct FuzzResult {
    target: &'static str,
    passed: bool,
    figures: String,
}

impl Fuzzing<'_> {
    /// Builds the command `cargo fuzz build` without a sanitizer, so that a stable compiler is sufficient. The code is
    /// safe Rust: the targets look for panics, hangs and unlimited memory.
    fn build(&self) -> Result<Command, Failure> {
        let mut command = CARGO_FUZZ.command(self.runner)?;
        command
            // Cargo passes this argument to its subcommands.
            .arg("fuzz")
            .args(["build", "--fuzz-dir", "core/fuzz"])
            .args(["--sanitizer", "none", "--features", "libfuzzer"])
            .args(["--target", &self.host, "--target-dir"])
            .arg(&self.folder);
        Ok(command)
    }

    /// Runs `targets`, and prints the statistics of the targets that have run.
    fn run_all(&self, targets: &[&'static str]) -> Result<(), Failure> {
        let queue = Mutex::new(targets.iter());
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let ended = Mutex::new(Vec::new());
        let work = || {
            while let Some(target) = next() {
                let end = self.run_one(target)?;
                ended
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(end);
            }
            Ok(())
        };
        let stopped: Result<(), Failure> = thread::scope(|scope| {
            let jobs = self.plan.jobs.get().min(targets.len());
            let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
            let ends = workers.into_iter().map(|worker| match worker.join() {
                Ok(end) => end,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            // The collection makes sure that all workers are joined, even after a failure.
            ends.collect::<Vec<_>>().into_iter().collect()
        });
        let ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        for FuzzResult {
            target, figures, ..
        } in &ended
        {
            eprintln!("      {target:<14} {figures}");
        }
        stopped?;
        let failed = ended.iter().filter(|end| !end.passed);
        let failed: Vec<_> = failed.map(|end| end.target).collect();
        if failed.is_empty() {
            return Ok(());
        }
        let names = failed.join("`, `");
        Err(Failure::Check(format!("failed fuzz targets: `{names}`")))
    }

    fn run_one(&self, target: &'static str) -> Result<FuzzResult, Failure> {
        let corpus = self.folder.join("corpus").join(target);
        let findings = self.folder.join("findings").join(target);
        for folder in [&corpus, &findings] {
            fs::create_dir_all(folder).map_err(Failure::io(folder.display().to_string()))?;
        }
        let Plan { time, order, .. } = self.plan;
        // Runs the program directly, because `cargo fuzz run` creates a folder for findings in the source tree.
        let program = self.folder.join(&self.host).join("release").join(target);
        let mut command = Command::new(program);
        command
            .arg(&corpus)
            .arg(format!("-max_total_time={}", time.as_secs()))
            .arg(format!("-artifact_prefix={}/", findings.display()))
            .args(["-timeout=10", "-rss_limit_mb=1024", "-print_final_stats=1"])
            .env("ACK_RAM_FUZZ_SEEDS", &corpus);
        if let Order::Same = order {
            command.arg("-seed=1");
        }
        let start = Instant::now();
        let name = format!("fuzz {target}");
        let finished = self.runner.attempt(time + MARGIN, &name, command)?;
        let figures = format!(
            "{}, {}",
            figures(&finished.output),
            seconds(start.elapsed())
        );
        let finding = finding(&finished.output, self.root, target);
        let passed = match finished.into_success() {
            Ok(_) => true,
            Err(failure) => {
                eprintln!("{finding}error: {failure}");
                false
            }
        };
        Ok(FuzzResult {
            target,
            passed,
            figures,
        })
    }
}

/// Returns the target triple of this machine.
fn host() -> Result<String, Failure> {
    let output = Command::new("rustc").arg("-vV").output();
    let output = output.map_err(Failure::io("rustc"))?.stdout;
    let text = String::from_utf8_lossy(&output);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| Failure::Check("no `host` in the output of `rustc -vV`".to_owned()))
}

/// Returns the numbers of executions and the coverage, from the last lines of libFuzzer.
fn figures(output: &str) -> String {
    let last = |start: &str| {
        let line = output.lines().rev().find(|line| line.starts_with(start));
        line.and_then(|line| line.split_whitespace().nth(1))
            .unwrap_or("?")
    };
    let covered = output.lines().rev().find_map(|line| {
        let (_, rest) = line.split_once(" cov: ")?;
        rest.split_whitespace().next()
    });
    format!(
        "{} inputs, {} per second, {} edges covered",
        last("stat::number_of_executed_units:"),
        last("stat::average_exec_per_sec:"),
        covered.unwrap_or("?"),
    )
}

/// Returns a summary of the output of a failed `target`: the error, the input, and the command that reproduces it.
fn finding(output: &str, root: &Path, target: &str) -> String {
    // The rest of a backtrace is in libFuzzer, which then prints its own error.
    let of_libfuzzer = ["rust_fuzzer_test_input", "ERROR: libFuzzer"];
    let panicked = output
        .lines()
        .skip_while(|line| !line.contains("panicked at"))
        .take_while(|line| !of_libfuzzer.iter().any(|name| line.contains(name)))
        .filter(|line| !line.starts_with("note: run with `RUST_BACKTRACE"));
    let errors = output
        .lines()
        .filter(|line| line.contains("ERROR: libFuzzer") || line.starts_with("SUMMARY: "));
    let mut lines: Vec<&str> = panicked.take(SHOWN_LINES).collect();
    if lines.is_empty() {
        lines = errors.collect();
    }
    if lines.is_empty() {
        let all: Vec<&str> = output.lines().collect();
        lines = all[all.len().saturating_sub(SHOWN_LINES)..].to_vec();
    }
    let mut text: String = lines.into_iter().flat_map(|line| [line, "\n"]).collect();
    let written = output.lines().rev().find_map(|line| {
        let (_, path) = line.split_once("Test unit written to ")?;
        Some(Path::new(path))
    });
    if let Some(input) = written {
        let input = input.strip_prefix(root).unwrap_or(input).display();
        text.push_str(&format!(
            "input: {input}\n\
             reproduce: cargo run --manifest-path {MANIFEST} --target-dir target/fuzz --bin {target} -- {input}\n"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{TARGETS, figures, finding};

    #[test]
    fn figures_are_those_of_the_last_lines_of_libfuzzer() {
        let output = "#2\tINITED cov: 17 ft: 18 corp: 1/1b exec/s: 0 rss: 40Mb\n\
                      #9000\tDONE   cov: 812 ft: 2001 corp: 90/9Kb lim: 80 exec/s: 450 rss: 60Mb\n\
                      stat::number_of_executed_units: 9000\n\
                      stat::average_exec_per_sec:     450";
        assert_eq!(
            figures(output),
            "9000 inputs, 450 per second, 812 edges covered"
        );
        assert_eq!(
            figures("error: no such target"),
            "? inputs, ? per second, ? edges covered"
        );
    }

    #[test]
    fn finding_omits_surrounding_output() {
        let again = "reproduce: cargo run --manifest-path core/fuzz/Cargo.toml --target-dir target/fuzz --bin rules --";
        let status = "#2\tINITED cov: 17 ft: 18 corp: 1/1b exec/s: 0 rss: 40Mb\n";
        let panicked = "\nthread '<unnamed>' (7) panicked at src/rules.rs:9:5:\n\
                        assertion failed\n  left: 1\n\
                        note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n\
                        ==7== ERROR: libFuzzer: deadly signal\n\
                        NOTE: libFuzzer has rudimentary signal handlers.\n\
                        SUMMARY: libFuzzer: deadly signal\n\
                        MS: 1 ChangeBit-; base unit: adc83b19\n0x61,0x0a\na\\012\n\
                        artifact_prefix='/project/f/'; Test unit written to /project/f/crash-1\n\
                        Base64: YQo=\n\
                        stat::number_of_executed_units: 3\n";
        let traced = "thread 'main' panicked at src/rules.rs:9:5:\n\
                      stack backtrace:\n   0: check\n   1: rust_fuzzer_test_input\n   2: main\n\
                      ==7== ERROR: libFuzzer: deadly signal\n";
        let slow = "ALARM: working on the last Unit for 11 seconds\n\
                    MS: 0 ; base unit: 0000\n\
                    artifact_prefix='/f/'; Test unit written to /f/timeout-2\n\
                    ==7== ERROR: libFuzzer: timeout after 11 seconds\n\
                    SUMMARY: libFuzzer: timeout\n";
        for (output, expected) in [
            (
                format!("{status}{panicked}"),
                format!(
                    "thread '<unnamed>' (7) panicked at src/rules.rs:9:5:\n\
                     assertion failed\n  left: 1\n\
                     input: f/crash-1\n{again} f/crash-1\n"
                ),
            ),
            (
                traced.to_owned(),
                "thread 'main' panicked at src/rules.rs:9:5:\nstack backtrace:\n   0: check\n"
                    .to_owned(),
            ),
            (
                format!("{status}{slow}"),
                format!(
                    "==7== ERROR: libFuzzer: timeout after 11 seconds\n\
                     SUMMARY: libFuzzer: timeout\n\
                     input: /f/timeout-2\n{again} /f/timeout-2\n"
                ),
            ),
            (
                "x\n".repeat(100) + "killed\n",
                "x\n".repeat(39) + "killed\n",
            ),
        ] {
            assert_eq!(finding(&output, Path::new("/project"), "rules"), expected);
        }
    }

    #[test]
    fn every_fuzz_target_is_listed() {
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
