//! `cargo xtask`: the development tasks of this repository, such as running all checks.

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

/// Run development tasks of ack-ram-authenticator
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
    /// Print the output of commands while they run
    #[arg(long, short, global = true)]
    verbose: bool,
}

#[derive(Subcommand)]
enum Task {
    /// Install missing programs and run all checks
    ///
    /// Downloaded and built programs are kept in `$ACK_RAM_CACHE`, which defaults to the folder
    /// `ack-ram-authenticator` in the user's cache folder.
    Test {
        /// Only the quick checks: format, clippy, build, and tests without a cluster
        #[arg(long)]
        quick: bool,
        /// Checks to run, separated by commas. Defaults to all checks
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
    /// New inputs are added to `target/fuzz/corpus`, from which the next run continues. Failing inputs are
    /// written to `target/fuzz/findings`.
    Fuzz {
        /// Targets to run. Defaults to all targets
        #[arg(value_parser = PossibleValuesParser::new(fuzz::TARGETS))]
        targets: Vec<String>,
        /// Duration of each target, in seconds
        #[arg(long, default_value_t = fuzz::SHORT.as_secs())]
        seconds: u64,
        /// Number of targets that run at the same time
        #[arg(long, default_value_t = NonZeroUsize::MIN)]
        jobs: NonZeroUsize,
    },
    /// Check that tests fail for each change of the deciding code
    ///
    /// Each mutant changes one place of the code that decides about logins. A complete run takes hours.
    /// Mutants without an observable effect are listed in `tests/xtask/accepted-mutants.json` with the
    /// reason. Logs and reports stay in `target/mutants`.
    Mutants {
        /// Files and folders to change, such as `core/src/rules`. Defaults to all deciding code
        #[arg(value_name = "PATH")]
        paths: Vec<String>,
        /// Functions to change, such as `AwaitingSts::resume`. Defaults to all functions
        #[arg(long = "function", value_name = "NAME", value_delimiter = ',')]
        functions: Vec<String>,
        /// Part of the mutants to run, such as `0/8`, the first of eight
        ///
        /// Parts can run at the same time, because each part has its own folder.
        #[arg(long, value_name = "PART/PARTS")]
        shard: Option<String>,
    },
    /// Check for leaks under load, faults and edits
    Soak {
        /// Duration of the load, in seconds
        #[arg(long, default_value_t = faults::SHORT.as_secs())]
        seconds: u64,
    },
    /// Run the long tests of a release build and print their tables
    ///
    /// These tests flood the server and measure its memory. Run them before a release: `test` does not
    /// include them.
    ReleaseCheck,
    /// Build the WebAssembly modules and the token inspector's page
    ///
    /// The build is a release build. It checks the imports of the modules, prints their sizes, and writes the
    /// page to `wasm/inspector/dist`.
    Wasm {
        /// Toolchain to build with. Defaults to the first that works
        #[arg(long, value_enum)]
        toolchain: Option<Toolchain>,
    },
    /// Measure the cost of a review, of a login in Envoy, or of a token
    ///
    /// A review is compared with a bare server, a login in Envoy with a request without a login, and a token with a
    /// program that does nothing. For the results and their meaning, see `host/benches/README.md` and
    /// `wasm/envoy/README.md`.
    Bench {
        /// Subject of the measurement
        #[arg(value_enum, default_value_t = Bench::Webhook)]
        what: Bench,
        /// Few and short rounds, for rough results
        #[arg(long)]
        quick: bool,
    },
    /// Generate `deploy/ramidentitymapping.yaml` from the Rust type
    Crd,
    /// Generate `METRICS.md` from the code
    Metrics,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Bench {
    /// A review, compared with a bare server
    Webhook,
    /// A request through Envoy: without a login, with the filter, with ext_authz
    Envoy,
    /// A token of the client, compared with a program that does nothing
    Client,
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
    // Every task applies to the whole workspace, regardless of the current folder.
    env::set_current_dir(&workspace.root).map_err(Failure::io("workspace folder"))?;
    let is_bench = matches!(arguments.task, Task::Bench { .. });
    // The output of a benchmark is its result.
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
            chosen.retain(|name| {
                targets.is_empty() || targets.iter().any(|selected| selected == name)
            });
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
            // A build of this package alone equals `cargo build --release`: the tests do not add features.
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
                Bench::Client => {
                    let mut build = cargo(&["build", "--package=ack-ram-authenticator"]);
                    build.args(["--no-default-features", "--profile=client"]);
                    runner.run("build-client", build)?;
                    let program = workspace.target.join("client/ack-ram-authenticator");
                    bench
                        .arg("--bench=client")
                        .env("ACK_RAM_CLIENT_ONLY", program);
                }
            }
            bench.arg("--").args(quick.then_some("--quick"));
            runner.run("bench", bench)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Crd => {
            // The test that compares the file also writes it if this variable is set.
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
