//! Runs the rows and prints the table of their results.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::future::Future;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ack_ram_tests::traffic::Tally;
use libtest_mimic::{Arguments, Trial};

/// Most rows spend most of the time waiting.
const PARALLEL_ROWS: usize = 6;

pub type Fail = Box<dyn Error + Send + Sync>;

/// The results of a row.
#[derive(Debug, Default)]
pub struct Figures {
    /// Results of the callers during the fault.
    pub tally: Tally,
    /// Time from the end of the fault to the recovery.
    pub recovered: Duration,
    /// Peak memory of the server in KiB.
    pub peak_kib: u64,
    /// Additional information.
    pub note: String,
}

#[derive(Default)]
pub struct Matrix {
    parallel: Vec<Trial>,
    alone_rows: Vec<Trial>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Matrix {
    /// Adds a row that runs in parallel with others.
    pub fn row<F>(&mut self, name: &str, run: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = Result<Figures, Fail>>,
    {
        let trial = self.trial(name, run);
        self.parallel.push(trial);
    }

    /// Adds a row that needs the machine for itself.
    pub fn row_alone<F>(&mut self, name: &str, run: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = Result<Figures, Fail>>,
    {
        let trial = self.trial(name, run);
        self.alone_rows.push(trial);
    }

    fn trial<F>(&self, name: &str, run: impl FnOnce() -> F + Send + 'static) -> Trial
    where
        F: Future<Output = Result<Figures, Fail>>,
    {
        let (lines, row_name) = (Arc::clone(&self.lines), name.to_owned());
        Trial::test(name, move || {
            let start = Instant::now();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let ended = runtime.block_on(run());
            let took = start.elapsed();
            let line = line(&row_name, &ended, took);
            lines.lock().expect("no panic while locked").push(line);
            Ok(ended.map(drop)?)
        })
    }

    /// Runs the rows that `arguments` select, and writes the table.
    pub fn run(self, mut arguments: Arguments) -> ExitCode {
        arguments.test_threads = arguments.test_threads.or(Some(PARALLEL_ROWS));
        let together = libtest_mimic::run(&arguments, self.parallel);
        arguments.test_threads = Some(1);
        let alone = libtest_mimic::run(&arguments, self.alone_rows);
        let mut lines = self.lines.lock().expect("no panic while locked").clone();
        if !lines.is_empty() {
            lines.sort();
            let table = format!("{HEAD}{}", lines.concat());
            println!("{table}");
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults.txt");
            fs::write(path, table).expect("the target folder takes a file");
        }
        if together.has_failed() || alone.has_failed() {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

const HEAD: &str = "\
Callers: granted/denied/unavailable during the fault. `new`: needs a call to STS. `known`: in the cache. `bad`: a token
that must be denied. Then: time until recovery, peak memory of the server, and duration of the row.

fault                                                      new          known        bad          recovery    memory   took
";

fn line(name: &str, ended: &Result<Figures, Fail>, took: Duration) -> String {
    let mut line = format!("{name:<58} ");
    // Writing to a string never fails.
    let _ = match ended {
        Ok(figures) => {
            let Figures {
                tally:
                    Tally {
                        fresh,
                        known,
                        rejected,
                        ..
                    },
                recovered,
                peak_kib,
                note,
            } = figures;
            let mib = peak_kib / 1024;
            let (recovered, took) = (recovered.as_secs_f64(), took.as_secs_f64());
            write!(
                line,
                "{fresh:<12} {known:<12} {rejected:<12} {recovered:>7.2} s {mib:>6} MiB {took:>5.1} s  {note}"
            )
        }
        Err(error) => write!(line, "FAILED: {error}"),
    };
    format!("{}\n", line.trim_end())
}
