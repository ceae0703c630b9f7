//! The tests that are run before a release: they take long, and need a release build to mean anything.

use crate::cargo::cargo;
use crate::failure::Failure;
use crate::run::Runner;
use crate::stages::set_cluster_variables;
use crate::workspace::Workspace;

/// Runs the tests behind the feature `release-check` and prints what they measured.
pub fn run(workspace: &Workspace, runner: &Runner) -> Result<(), Failure> {
    // The tests start the binaries that were built last.
    let build = cargo(&["build", "--release", "--workspace", "--bins"]);
    runner.run("release-build", build)?;
    let mut command = cargo(&["test", "--release", "--package=ack-ram-tests"]);
    command.arg("--features=release-check");
    for name in &workspace.release_tests {
        command.args(["--test", name]);
    }
    set_cluster_variables(&mut command, runner)?;
    // One after the other, so that each has the machine to itself.
    command.args(["--", "--test-threads=1", "--show-output"]);
    println!("{}", runner.run("release-check", command)?);
    Ok(())
}
