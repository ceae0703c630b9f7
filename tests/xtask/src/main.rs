//! `cargo xtask`: every check of this repository, and what they need.

mod cargo;
mod counts;
mod failure;
mod faults;
mod fuzz;
mod inspector;
mod mutants;
mod release_check;
mod run;
mod stages;
mod summary;
mod tools;
mod wasm;
mod workspace;

use std::env;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Parser, Subcommand, ValueEnum};

use crate::cargo::cargo;
use crate::failure::Failure;
use crate::run::Runner;
use crate::tools::wasm_target::Toolchain;
use crate::workspace::Workspace;

/// The checks of ack-ram-authenticator
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
    /// Show what the commands print while they run
    #[arg(long, short, global = true)]
    verbose: bool,
}

#[derive(Subcommand)]
enum Task {
    /// Run every check, and get what is missing first
    ///
    /// Programs that have to be fetched or built are kept in `$ACK_RAM_CACHE`, or else in the
    /// user's cache folder, in `ack-ram-authenticator`.
    Test {
        /// Only what takes a minute or two: format, clippy, and the tests that need no cluster
        #[arg(long)]
        quick: bool,
        /// Only these checks
        #[arg(
            long,
            value_name = "NAME",
            value_delimiter = ',',
            conflicts_with = "quick"
        )]
        #[arg(value_parser = PossibleValuesParser::new(stages::choices()))]
        only: Vec<String>,
    },
    /// Run the fuzz targets
    ///
    /// What is new goes to `target/fuzz/corpus`, from where the next run goes on; inputs that fail, to
    /// `target/fuzz/findings`.
    Fuzz {
        /// Only these targets
        #[arg(value_parser = PossibleValuesParser::new(fuzz::TARGETS))]
        targets: Vec<String>,
        /// How long to run each
        #[arg(long, default_value_t = fuzz::SHORT.as_secs())]
        seconds: u64,
        /// How many to run at once
        #[arg(long, default_value_t = NonZeroUsize::MIN)]
        jobs: NonZeroUsize,
    },
    /// Change one place of the code that decides at a time, and check that a test fails
    ///
    /// A complete run takes hours. Mutants without an observable effect are listed in
    /// `tests/xtask/accepted-mutants.json` with the reason. Logs and reports stay in `target/mutants`.
    Mutants {
        /// Only these files and folders, such as `core/src/rules`
        #[arg(value_name = "PATH")]
        paths: Vec<String>,
        /// Only these functions, such as `AwaitingSts::resume`
        #[arg(long = "function", value_name = "NAME", value_delimiter = ',')]
        functions: Vec<String>,
        /// Only one part of the mutants, such as `0/8`, the first of eight
        ///
        /// Parts may run at the same time: each has a folder of its own.
        #[arg(long, value_name = "PART/PARTS")]
        shard: Option<String>,
    },
    /// Run the server under load, with faults and edits by turns, and see that nothing grows
    Soak {
        /// For how long
        #[arg(long, default_value_t = faults::SHORT.as_secs())]
        seconds: u64,
    },
    /// Run the tests that take long and seldom break, in a release build, and print their tables
    ///
    /// They flood the server, and measure its memory. Run this before a release: `test` leaves them out.
    ReleaseCheck,
    /// Build the wasm modules and the token inspector's page for release, check what they import, print their sizes
    ///
    /// The page goes to `wasm/inspector/dist`.
    Wasm {
        /// What to build with, instead of the first that is there
        #[arg(long, value_enum)]
        toolchain: Option<Toolchain>,
    },
    /// Measure what a review costs beside a bare server, or what a login in Envoy costs beside none
    ///
    /// The figures, and what they mean, are in `host/benches/README.md` and `wasm/envoy/README.md`.
    Bench {
        /// What is measured
        #[arg(value_enum, default_value_t = Bench::Webhook)]
        what: Bench,
        /// Few and short rounds: the figures are rough
        #[arg(long)]
        quick: bool,
    },
    /// Write `deploy/ramidentitymapping.yaml` anew from the Rust type
    Crd,
    /// Write `METRICS.md` anew from the code
    Metrics,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Bench {
    /// A review
    Webhook,
    /// A request through Envoy: without a login, with the filter, with ext_authz
    Envoy,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run_task(&arguments) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run_task(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let workspace = Workspace::find()?;
    // Every command means the whole workspace, wherever in it the user stands.
    env::set_current_dir(&workspace.root).map_err(Failure::io("the workspace's folder"))?;
    let is_bench = matches!(arguments.task, Task::Bench { .. });
    // A benchmark is its figures.
    let verbose = arguments.verbose || is_bench;
    let runner = Runner::new(workspace.target.join("xtask"), verbose)?;
    match &arguments.task {
        Task::Test { quick, only } => Ok(stages::run(&workspace, &runner, *quick, only)),
        Task::Fuzz {
            targets,
            seconds,
            jobs,
        } => {
            let mut chosen = fuzz::TARGETS.to_vec();
            chosen.retain(|name| targets.is_empty() || targets.iter().any(|asked| asked == name));
            let plan = fuzz::Plan {
                time: Duration::from_secs(*seconds),
                jobs: *jobs,
                order: fuzz::Order::Random,
            };
            fuzz::run(&workspace, &runner, &chosen, plan)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Mutants {
            paths,
            functions,
            shard,
        } => {
            let selection = mutants::Selection {
                paths,
                functions,
                shard: shard.as_deref(),
            };
            mutants::run(&workspace, &runner, selection)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Soak { seconds } => {
            faults::run_soak(&workspace, &runner, Duration::from_secs(*seconds))?;
            Ok(ExitCode::SUCCESS)
        }
        Task::ReleaseCheck => {
            release_check::run(&workspace, &runner)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Wasm { toolchain } => {
            wasm::build_all(&workspace, &runner, *toolchain)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Bench { what, quick } => {
            // On its own, so that it is what `cargo build --release` gives: no feature that only tests ask for.
            let build = cargo(&["build", "--release", "--package=ack-ram-authenticator"]);
            runner.run("build", build)?;
            let mut bench = cargo(&["bench", "--package=ack-ram-tests"]);
            match what {
                Bench::Webhook => {
                    bench.arg("--bench=webhook");
                }
                Bench::Envoy => {
                    wasm::build_for_tests(&workspace, &runner)?;
                    wasm::set_filter_variables(&mut bench, &workspace);
                    bench
                        .args(["--bench=envoy", "--features=envoy"])
                        .env("ACK_RAM_ENVOY", tools::envoy::find(&runner)?)
                        .env("ACK_RAM_WRK", tools::wrk::find(&runner)?);
                }
            }
            bench.arg("--").args(quick.then_some("--quick"));
            runner.run("bench", bench)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Crd => {
            // The test that compares the file writes it when it is told to.
            let mut command = cargo(&["test", "--package=ack-ram-authenticator", "--test=crd"]);
            command.arg("definition_file_equals_the_type");
            command.env("ACK_RAM_WRITE_CRD", "1");
            runner.run("crd", command)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Metrics => {
            let mut command = cargo(&["test", "--package=ack-ram-authenticator", "--lib"]);
            command.arg("metrics::tests::documented_metrics_match_code");
            command.env("ACK_RAM_WRITE_METRICS", "1");
            runner.run("metrics", command)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
