//! `cargo xtask release-check`: long tests that are only meaningful in a release build.

use crate::cargo::cargo;
use crate::failure::Failure;
use crate::run::Runner;
use crate::stages::set_cluster_variables;
use crate::workspace::Workspace;

/// Runs the tests with the feature `release-check` and prints their measurements.
pub fn run(workspace: &Workspace, runner: &Runner) -> Result<(), Failure> {
    // The tests start the binaries of the last build.
    let build = cargo(&["build", "--release", "--workspace", "--bins"]);
    runner.run("release-build", build)?;
    let mut command = cargo(&["test", "--release", "--package=ack-ram-tests"]);
    command.arg("--features=release-check");
    for name in &workspace.release_tests {
        command.args(["--test", name]);
    }
    set_cluster_variables(&mut command, runner)?;
    // The tests run one after the other, so that each has the whole machine.
    command.args(["--", "--test-threads=1", "--show-output"]);
    println!("{}", runner.run("release-check", command)?);
    let plans = cargo(&[
        "test",
        "--release",
        "--package=ack-ram-client",
        "--features=release-check",
        "--test=model",
    ]);
    println!("{}", runner.run("release-check-plans", plans)?);
    Ok(())
}
