//! The rows, run, and the table of what they came to.

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

/// Most rows wait for one thing or another most of the time.
const SIDE_BY_SIDE: usize = 6;

pub type Fail = Box<dyn Error + Send + Sync>;

/// What a row came to.
#[derive(Debug, Default)]
pub struct Figures {
    /// While the fault lasted.
    pub tally: Tally,
    /// From its end until all was well.
    pub recovered: Duration,
    /// The most memory that the server had, in KiB.
    pub peak_kib: u64,
    /// What else is to be known.
    pub note: String,
}

#[derive(Default)]
pub struct Matrix {
    side_by_side: Vec<Trial>,
    one_by_one: Vec<Trial>,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Matrix {
    /// A row that does not disturb others.
    pub fn row<F>(&mut self, name: &str, run: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = Result<Figures, Fail>>,
    {
        let trial = self.trial(name, run);
        self.side_by_side.push(trial);
    }

    /// A row that needs the machine for itself.
    pub fn row_alone<F>(&mut self, name: &str, run: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = Result<Figures, Fail>>,
    {
        let trial = self.trial(name, run);
        self.one_by_one.push(trial);
    }

    fn trial<F>(&self, name: &str, run: impl FnOnce() -> F + Send + 'static) -> Trial
    where
        F: Future<Output = Result<Figures, Fail>>,
    {
        let (lines, shown) = (Arc::clone(&self.lines), name.to_owned());
        Trial::test(name, move || {
            let start = Instant::now();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let ended = runtime.block_on(run());
            let took = start.elapsed();
            let line = line(&shown, &ended, took);
            lines.lock().expect("nobody panics there").push(line);
            Ok(ended.map(drop)?)
        })
    }

    /// Runs what `arguments` ask for, and writes the table.
    pub fn run(self, mut arguments: Arguments) -> ExitCode {
        arguments.test_threads = arguments.test_threads.or(Some(SIDE_BY_SIDE));
        let together = libtest_mimic::run(&arguments, self.side_by_side);
        arguments.test_threads = Some(1);
        let alone = libtest_mimic::run(&arguments, self.one_by_one);
        let mut lines = self.lines.lock().expect("nobody panics there").clone();
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
Callers: granted/refused/unable while the fault lasted. `new`: STS has to be asked. `known`: remembered. `bad`: to be
refused. Then how long after its end all was well, the most memory that the server had, and what the row took.

fault                                                      new          known        bad          well after  memory   took
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
