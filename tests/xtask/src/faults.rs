//! The fault matrix and the soak test, which are one test program.

use std::process::Command;
use std::time::Duration;

use crate::cargo::cargo;
use crate::failure::Failure;
use crate::run::Runner;
use crate::tools;
use crate::workspace::Workspace;

/// The duration of the soak test in `cargo xtask test`.
pub const SHORT: Duration = Duration::from_secs(120);
/// The additional time for the last round, which may end late, and for slow machines.
const GRACE: Duration = Duration::from_secs(20 * 60);

/// Builds the command that runs the fault matrix.
pub fn matrix(runner: &Runner) -> Result<Command, Failure> {
    tools::ip::require(runner)?;
    let mut command = cargo(&["test", "--package", "ack-ram-tests", "--test", "faults"]);
    command
        .args(["--features", "faults"])
        .env("ACK_RAM_FAKETIME", tools::faketime::find(runner)?);
    Ok(command)
}

/// Builds the command that runs the soak test for `time`.
pub fn soak(runner: &Runner, time: Duration) -> Result<Command, Failure> {
    let mut command = matrix(runner)?;
    command.env("ACK_RAM_SOAK_SECONDS", time.as_secs().to_string());
    Ok(command)
}

/// Runs the soak test for `time`, and prints its table.
pub fn run_soak(workspace: &Workspace, runner: &Runner, time: Duration) -> Result<(), Failure> {
    runner.run("build", cargo(&["build", "--workspace", "--bins"]))?;
    let limit = time.saturating_add(GRACE);
    let ended = runner.finish_within(limit, "soak", soak(runner, time)?)?;
    println!("{}", ended.into_success()?);
    print_table_path(workspace, "soak");
    Ok(())
}

/// Prints the path of the file with the measurements.
pub fn print_table_path(workspace: &Workspace, name: &str) {
    let table = workspace.target.join("tmp").join(format!("{name}.txt"));
    eprintln!("      measurements: `{}`", table.display());
}
