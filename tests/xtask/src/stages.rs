//! The checks, in their order: what fails fast comes first.

use std::{
    process::{Command, ExitCode},
    time::Instant,
};

use crate::{
    cargo::cargo,
    counts::Tests,
    failure::Failure,
    run::Runner,
    summary::{self, Line, seconds},
    tools, wasm,
    workspace::Workspace,
};

struct Stage {
    name: &'static str,
    what: &'static str,
    quick: bool,
    run: fn(&Context<'_>, &mut Option<Tests>) -> Result<(), Failure>,
}

const STAGES: [Stage; 9] = [
    Stage {
        name: "format",
        what: "the code is formatted",
        quick: true,
        run: format,
    },
    Stage {
        name: "clippy",
        what: "lints; warnings are errors",
        quick: true,
        run: clippy,
    },
    Stage {
        name: "build",
        what: "the binaries that tests start",
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
        what: "the crates' documentation; warnings are errors",
        quick: false,
        run: docs,
    },
    Stage {
        name: "licences",
        what: "licences, bans and sources of the dependencies",
        quick: false,
        run: licences,
    },
    Stage {
        name: "wasm",
        what: "the wasm modules and what they import",
        quick: false,
        run: wasm_modules,
    },
    Stage {
        name: "cluster",
        what: "end-to-end tests with etcd, kube-apiserver and kubectl",
        quick: false,
        run: cluster_tests,
    },
    Stage {
        name: "quickstart",
        what: "the README's example",
        quick: false,
        run: quickstart,
    },
];

struct Context<'a> {
    workspace: &'a Workspace,
    runner: &'a Runner,
}

/// Runs the stages until one fails, and prints a summary.
pub fn run_all(workspace: &Workspace, runner: &Runner, quick: bool) -> ExitCode {
    let context = Context { workspace, runner };
    let stages: Vec<&Stage> = STAGES
        .iter()
        .filter(|stage| stage.quick || !quick)
        .collect();
    let mut lines = Vec::new();
    let mut failed = None;
    for (index, stage) in stages.iter().enumerate() {
        let mut line = Line {
            stage: stage.name,
            result: summary::Result::NotRun,
            time: Default::default(),
            tests: None,
        };
        if failed.is_none() {
            eprintln!(
                "[{}/{}] {}: {}",
                index + 1,
                stages.len(),
                stage.name,
                stage.what
            );
            let start = Instant::now();
            let ended = (stage.run)(&context, &mut line.tests);
            line.time = start.elapsed();
            line.result = match ended {
                Ok(()) => summary::Result::Passed,
                Err(failure) => {
                    eprintln!("error: {}: {failure}", stage.name);
                    failed = Some(stage.name);
                    summary::Result::Failed
                }
            };
            eprintln!("      {}", seconds(line.time));
        }
        lines.push(line);
    }
    println!("{}", summary::table(&lines));
    if failed.is_some() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn format(context: &Context<'_>, _: &mut Option<Tests>) -> Result<(), Failure> {
    context.cargo("format", &["fmt", "--all", "--check"])
}

fn clippy(context: &Context<'_>, _: &mut Option<Tests>) -> Result<(), Failure> {
    let scope = ["clippy", "--workspace", "--all-targets", "--all-features"];
    context.cargo(
        "clippy",
        &[&scope[..], &["--", "--deny", "warnings"]].concat(),
    )
}

fn build(context: &Context<'_>, _: &mut Option<Tests>) -> Result<(), Failure> {
    context.cargo("build", &["build", "--workspace", "--bins"])
}

fn plain_tests(context: &Context<'_>, tests: &mut Option<Tests>) -> Result<(), Failure> {
    let command = cargo(&["test", "--workspace", "--no-fail-fast"]);
    context.run_tests("tests", command, tests)
}

fn docs(context: &Context<'_>, _: &mut Option<Tests>) -> Result<(), Failure> {
    let mut command = cargo(&["doc", "--workspace", "--no-deps"]);
    command.env("RUSTDOCFLAGS", "--deny warnings");
    context.runner.run("docs", command).map(drop)
}

fn licences(context: &Context<'_>, _: &mut Option<Tests>) -> Result<(), Failure> {
    let mut command = tools::cargo_deny::find(context.runner)?;
    command.args(["--workspace", "check", "licenses", "bans", "sources"]);
    context.runner.run("licences", command).map(drop)
}

fn wasm_modules(context: &Context<'_>, _: &mut Option<Tests>) -> Result<(), Failure> {
    wasm::build_all(context.workspace, context.runner, None)
}

fn cluster_tests(context: &Context<'_>, tests: &mut Option<Tests>) -> Result<(), Failure> {
    let mut command = cargo(&["test", "--workspace", "--no-fail-fast"]);
    command.args(["--features", "ack-ram-tests/cluster"]);
    for name in &context.workspace.cluster_tests {
        command.args(["--test", name]);
    }
    command
        .env("ACK_RAM_ETCD", tools::etcd::find(context.runner)?)
        .env(
            "ACK_RAM_KUBE_APISERVER",
            tools::kubernetes::apiserver(context.runner)?,
        )
        .env(
            "ACK_RAM_KUBECTL",
            tools::kubernetes::kubectl(context.runner)?,
        );
    context.run_tests("cluster", command, tests)
}

fn quickstart(context: &Context<'_>, _: &mut Option<Tests>) -> Result<(), Failure> {
    let package = "--package=ack-ram-authenticator";
    context.cargo(
        "quickstart",
        &["run", "--release", package, "--example=quickstart"],
    )
}

impl Context<'_> {
    fn cargo(&self, name: &str, args: &[&str]) -> Result<(), Failure> {
        self.runner.run(name, cargo(args)).map(drop)
    }

    /// Runs a `cargo test`; tests that did not run are failures too.
    fn run_tests(
        &self,
        name: &str,
        command: Command,
        tests: &mut Option<Tests>,
    ) -> Result<(), Failure> {
        let run = self.runner.finish(name, command)?;
        let counted = tests.insert(Tests::parse(&run.output));
        run.into_success()?;
        let complaint = match counted {
            Tests { empty, .. } if !empty.is_empty() => format!("no test in {}", empty.join(", ")),
            Tests { skipped: 1.., .. } => format!("{} tests were left out", counted.skipped),
            Tests { passed: 0, .. } => "no test ran".to_owned(),
            Tests { .. } => return Ok(()),
        };
        Err(Failure::Check(complaint))
    }
}
