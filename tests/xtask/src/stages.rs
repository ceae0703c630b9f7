//! `cargo xtask test`: the checks in their order. Checks that fail fast come first.

use std::num::NonZeroUsize;
use std::process::{Command, ExitCode};
use std::time::Instant;

use clap::builder::PossibleValue;

use crate::cargo::cargo;
use crate::counts::TestCounts;
use crate::failure::Failure;
use crate::run::Runner;
use crate::summary::{StageResult, SummaryLine, seconds, table};
use crate::tools::cargo_program::CARGO_DENY;
use crate::workspace::Workspace;
use crate::{faults, fuzz, inspector, tools, wasm};

struct Stage {
    name: &'static str,
    what: &'static str,
    quick: bool,
    run: fn(&Context<'_>, &mut Option<TestCounts>) -> Result<(), Failure>,
}

const STAGES: [Stage; 18] = [
    Stage {
        name: "format",
        what: "formatting of the code",
        quick: true,
        run: format,
    },
    Stage {
        name: "clippy",
        what: "lints, also of the client-only program; warnings are errors",
        quick: true,
        run: clippy,
    },
    Stage {
        name: "build",
        what: "build of the binaries that tests start",
        quick: true,
        run: build,
    },
    Stage {
        name: "tests",
        what: "unit, vector and integration tests",
        quick: true,
        run: plain_tests,
    },
    Stage {
        name: "docs",
        what: "documentation of the crates; warnings are errors",
        quick: false,
        run: docs,
    },
    Stage {
        name: "spelling",
        what: "spelling of code and documents, checked by typos",
        quick: false,
        run: spelling,
    },
    Stage {
        name: "licenses",
        what: "licenses, bans and sources of the dependencies",
        quick: false,
        run: licenses,
    },
    Stage {
        name: "wasm",
        what: "WebAssembly modules and their imports",
        quick: false,
        run: wasm_modules,
    },
    Stage {
        name: "alerts",
        what: "alert rules in Prometheus' promtool",
        quick: false,
        run: alert_tests,
    },
    Stage {
        name: "wasmtime",
        what: "equal decisions of the WebAssembly module and native code",
        quick: false,
        run: wasm_tests,
    },
    Stage {
        name: "browser",
        what: "token inspector in Chromium",
        quick: false,
        run: browser_tests,
    },
    Stage {
        name: "envoy",
        what: "filter in a real Envoy",
        quick: false,
        run: envoy_tests,
    },
    Stage {
        name: "nginx",
        what: "documented configurations in a real nginx and Caddy",
        quick: false,
        run: nginx_tests,
    },
    Stage {
        name: "fuzz",
        what: "each fuzz target for a short time",
        quick: false,
        run: fuzz_targets,
    },
    Stage {
        name: "faults",
        what: "server while its dependencies fail",
        quick: false,
        run: faults,
    },
    Stage {
        name: "soak",
        what: "no leaks in two minutes of load, faults and edits",
        quick: false,
        run: soak,
    },
    Stage {
        name: "cluster",
        what: "end-to-end tests with etcd, kube-apiserver and kubectl",
        quick: false,
        run: cluster_tests,
    },
    Stage {
        name: "quickstart",
        what: "example of the README",
        quick: false,
        run: quickstart,
    },
];

struct Context<'a> {
    workspace: &'a Workspace,
    runner: &'a Runner,
}

/// Returns the names of all stages for the command line, in their order.
pub fn choices() -> [PossibleValue; STAGES.len()] {
    STAGES
        .each_ref()
        .map(|stage| PossibleValue::new(stage.name).help(stage.what))
}

/// Runs the stages until one fails, and prints a summary. `quick` selects the quick stages, and `only` the stages with
/// these names.
pub fn run(workspace: &Workspace, runner: &Runner, quick: bool, only: &[String]) -> ExitCode {
    let context = Context { workspace, runner };
    let stages: Vec<&Stage> = STAGES
        .iter()
        .filter(|stage| stage.quick || !quick)
        .filter(|stage| only.is_empty() || only.iter().any(|name| name == stage.name))
        .collect();
    let mut failed = false;
    let mut lines = Vec::new();
    for (index, stage) in stages.iter().enumerate() {
        if failed {
            lines.push(SummaryLine::not_run(stage.name));
            continue;
        }
        eprintln!(
            "[{}/{}] {}: {}",
            index + 1,
            stages.len(),
            stage.name,
            stage.what
        );
        let line = context.run(stage);
        eprintln!("      {}", seconds(line.time));
        failed = matches!(line.result, StageResult::Failed);
        lines.push(line);
    }
    println!("{}", table(&lines));
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn format(context: &Context<'_>, _: &mut Option<TestCounts>) -> Result<(), Failure> {
    context.cargo("format", &["fmt", "--all", "--check"])
}

fn clippy(context: &Context<'_>, _: &mut Option<TestCounts>) -> Result<(), Failure> {
    let everything = ["--workspace", "--all-targets", "--all-features"];
    let client = ["--package=ack-ram-authenticator", "--no-default-features"];
    // The fuzz targets use this form of the crate.
    let plans = ["--package=ack-ram-client", "--no-default-features"];
    for (name, scope) in [
        ("clippy", &everything[..]),
        ("clippy-client", &client),
        ("clippy-plans", &plans),
    ] {
        let args = [&["clippy"], scope, &["--", "--deny", "warnings"]].concat();
        context.cargo(name, &args)?;
    }
    Ok(())
}

fn build(context: &Context<'_>, _: &mut Option<TestCounts>) -> Result<(), Failure> {
    context.cargo("build", &["build", "--workspace", "--bins"])
}

fn plain_tests(context: &Context<'_>, tests: &mut Option<TestCounts>) -> Result<(), Failure> {
    let command = cargo(&["test", "--workspace", "--no-fail-fast"]);
    context.run_tests("tests", command, tests)
}

fn docs(context: &Context<'_>, _: &mut Option<TestCounts>) -> Result<(), Failure> {
    let mut command = cargo(&[
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ]);
    // The pages are for contributors, and include private items.
    let flags = "--deny warnings --allow rustdoc::private_intra_doc_links";
    command.env("RUSTDOCFLAGS", flags);
    context.runner.run("docs", command).map(drop)
}

fn spelling(context: &Context<'_>, _: &mut Option<TestCounts>) -> Result<(), Failure> {
    let mut command = Command::new(tools::typos::find(context.runner)?);
    command
        .args(["--format", "brief"])
        .arg(&context.workspace.root);
    context.runner.run("spelling", command).map(drop)
}

fn licenses(context: &Context<'_>, _: &mut Option<TestCounts>) -> Result<(), Failure> {
    let mut command = CARGO_DENY.command(context.runner)?;
    command.args(["--workspace", "check", "licenses", "bans", "sources"]);
    let output = context.runner.run("licenses", command)?;
    for warning in output.lines().filter(|line| line.starts_with("warning")) {
        eprintln!("      {warning}");
    }
    Ok(())
}

fn wasm_modules(context: &Context<'_>, _: &mut Option<TestCounts>) -> Result<(), Failure> {
    wasm::build_all(context.workspace, context.runner, None)
}

fn alert_tests(context: &Context<'_>, tests: &mut Option<TestCounts>) -> Result<(), Failure> {
    let mut command = cargo(&["test", "--package", "ack-ram-tests", "--test", "alerts"]);
    command.args(["--features", "promtool"]).env(
        "ACK_RAM_PROMTOOL",
        tools::prometheus::promtool(context.runner)?,
    );
    context.run_tests("alerts", command, tests)
}

fn wasm_tests(context: &Context<'_>, tests: &mut Option<TestCounts>) -> Result<(), Failure> {
    let mut command = cargo(&["test", "--package", "ack-ram-tests", "--test", "wasm"]);
    command
        .args(["--features", "wasm"])
        .env(
            "ACK_RAM_CORE_WASM",
            wasm::CORE_WITH_CEL.path(context.workspace),
        )
        .env(
            "ACK_RAM_CORE_WASM_WITHOUT_CEL",
            wasm::CORE.path(context.workspace),
        );
    context.run_tests("wasmtime", command, tests)
}

fn browser_tests(context: &Context<'_>, tests: &mut Option<TestCounts>) -> Result<(), Failure> {
    let Context { workspace, runner } = context;
    let page = inspector::dist(workspace);
    let module = wasm::CORE_WITH_CEL.path(workspace);
    // Without this build, the tests would use outdated modules.
    wasm::build_all(workspace, runner, None)?;
    let package = ["--package", "ack-ram-tests", "--features", "browser"];
    let mut command = cargo(&["test", "--test", "inspector_page"]);
    let screenshots = workspace.target.join("inspector-screenshots");
    command
        .args(package)
        .env("ACK_RAM_CHROMIUM", tools::browser::chromium(runner)?)
        .env("ACK_RAM_AXE", tools::browser::axe(runner)?)
        .env("ACK_RAM_INSPECTOR", page)
        .env("ACK_RAM_CORE_WASM", module)
        .env("ACK_RAM_SCREENSHOTS", &screenshots)
        // Prints the tables of the tests.
        .args(["--", "--show-output"]);
    // The tests start the binary of the last build, which contains the page.
    build(context, &mut None)?;
    context.run_tests("browser", command, tests)?;
    eprintln!("      screenshots of the page: `{}`", screenshots.display());
    Ok(())
}

fn envoy_tests(context: &Context<'_>, tests: &mut Option<TestCounts>) -> Result<(), Failure> {
    let Context { workspace, runner } = context;
    let mut command = cargo(&["test", "--package", "ack-ram-tests", "--test", "envoy"]);
    command
        .args(["--features", "envoy"])
        .env("ACK_RAM_ENVOY", tools::envoy::find(runner)?)
        // Prints the tables of the tests.
        .args(["--", "--show-output"]);
    // Without this build, the tests would use outdated modules.
    wasm::build_for_tests(workspace, runner)?;
    wasm::set_filter_variables(&mut command, workspace);
    build(context, &mut None)?;
    context.run_tests("envoy", command, tests)
}

fn nginx_tests(context: &Context<'_>, tests: &mut Option<TestCounts>) -> Result<(), Failure> {
    // The tests start the binaries of the last build.
    build(context, &mut None)?;
    let mut command = cargo(&["test", "--package", "ack-ram-tests", "--test", "ext_authz"]);
    command
        .args(["--features", "nginx"])
        .env("ACK_RAM_NGINX", tools::nginx::find(context.runner)?)
        .env("ACK_RAM_CADDY", tools::caddy::find(context.runner)?);
    context.run_tests("nginx", command, tests)
}

fn fuzz_targets(context: &Context<'_>, _: &mut Option<TestCounts>) -> Result<(), Failure> {
    fuzz::run(
        context.workspace,
        context.runner,
        &fuzz::TARGETS,
        fuzz::Plan {
            time: fuzz::SHORT,
            jobs: NonZeroUsize::MIN,
            order: fuzz::Order::Same,
        },
    )
}

fn faults(context: &Context<'_>, tests: &mut Option<TestCounts>) -> Result<(), Failure> {
    // The tests start the binaries of the last build.
    build(context, &mut None)?;
    let command = faults::matrix(context.runner)?;
    context.run_tests("faults", command, tests)?;
    faults::print_table_path(context.workspace, "faults");
    Ok(())
}

fn soak(context: &Context<'_>, tests: &mut Option<TestCounts>) -> Result<(), Failure> {
    build(context, &mut None)?;
    let command = faults::soak(context.runner, faults::SHORT)?;
    context.run_tests("soak", command, tests)?;
    faults::print_table_path(context.workspace, "soak");
    Ok(())
}

fn cluster_tests(context: &Context<'_>, tests: &mut Option<TestCounts>) -> Result<(), Failure> {
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.args(["--features", "ack-ram-tests/cluster"]);
    for name in &context.workspace.cluster_tests {
        command.args(["--test", name]);
    }
    set_cluster_variables(&mut command, context.runner)?;
    // The tests start the binaries of the last build.
    build(context, &mut None)?;
    context.run_tests("cluster", command, tests)
}

/// Sets the variables with the paths of the programs of a cluster, and installs missing programs.
pub fn set_cluster_variables(command: &mut Command, runner: &Runner) -> Result<(), Failure> {
    command
        .env("ACK_RAM_ETCD", tools::etcd::find(runner)?)
        .env(
            "ACK_RAM_KUBE_APISERVER",
            tools::kubernetes::apiserver(runner)?,
        )
        .env("ACK_RAM_KUBECTL", tools::kubernetes::kubectl(runner)?);
    Ok(())
}

fn quickstart(context: &Context<'_>, _: &mut Option<TestCounts>) -> Result<(), Failure> {
    let package = "--package=ack-ram-authenticator";
    context.cargo("quickstart", &["run", package, "--example=quickstart"])
}

impl Context<'_> {
    fn run(&self, stage: &Stage) -> SummaryLine {
        let start = Instant::now();
        let mut tests = None;
        let ended = (stage.run)(self, &mut tests);
        if let Err(failure) = &ended {
            eprintln!("error: {}: {failure}", stage.name);
        }
        SummaryLine {
            stage: stage.name,
            result: ended.into(),
            time: start.elapsed(),
            tests,
        }
    }

    fn cargo(&self, name: &str, args: &[&str]) -> Result<(), Failure> {
        self.runner.run(name, cargo(args)).map(drop)
    }

    /// Runs a `cargo test`. A test that did not run is also a failure.
    fn run_tests(
        &self,
        name: &str,
        mut command: Command,
        tests: &mut Option<TestCounts>,
    ) -> Result<(), Failure> {
        // The folder is removed at the end, even if the tests were interrupted and could not clean up.
        let scratch = tempfile::tempdir_in(self.runner.folder()).map_err(Failure::io("scratch"))?;
        command.env("TMPDIR", scratch.path());
        let run = self.runner.finish(name, command)?;
        let counted = tests.insert(TestCounts::parse(&run.output));
        run.into_success()?;
        let problem = match counted {
            TestCounts { empty, .. } if !empty.is_empty() => {
                format!("no tests ran in {}", empty.join(", "))
            }
            TestCounts { skipped: 1.., .. } => format!("{} tests were skipped", counted.skipped),
            TestCounts { passed: 0, .. } => "no tests ran".to_owned(),
            TestCounts { .. } => return Ok(()),
        };
        Err(Failure::Check(problem))
    }
}
