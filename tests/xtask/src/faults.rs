//! The fault matrix and the soak, which are one test program.

use std::process::Command;
use std::time::Duration;

use crate::cargo::cargo;
use crate::failure::Failure;
use crate::run::Runner;
use crate::tools;
use crate::workspace::Workspace;

/// How long the soak among the checks is.
pub const SHORT: Duration = Duration::from_secs(120);
/// The last round ends later than it is asked to, and a machine may be slow.
const GRACE: Duration = Duration::from_secs(20 * 60);

/// Runs the fault matrix.
pub fn matrix(runner: &Runner) -> Result<Command, Failure> {
    tools::ip::require(runner)?;
    let mut command = cargo(&["test", "--package", "ack-ram-tests", "--test", "faults"]);
    command
        .args(["--features", "faults"])
        .env("ACK_RAM_FAKETIME", tools::faketime::find(runner)?);
    Ok(command)
}

/// Runs the soak, for `time`.
pub fn soak(runner: &Runner, time: Duration) -> Result<Command, Failure> {
    let mut command = matrix(runner)?;
    command.env("ACK_RAM_SOAK_SECONDS", time.as_secs().to_string());
    Ok(command)
}

/// Runs the soak by itself, and shows its table.
pub fn run_soak(workspace: &Workspace, runner: &Runner, time: Duration) -> Result<(), Failure> {
    runner.run("build", cargo(&["build", "--workspace", "--bins"]))?;
    let limit = time.saturating_add(GRACE);
    let ended = runner.finish_within(limit, "soak", soak(runner, time)?)?;
    println!("{}", ended.into_success()?);
    print_table_path(workspace, "soak");
    Ok(())
}

/// Says where the figures are.
pub fn print_table_path(workspace: &Workspace, name: &str) {
    let table = workspace.target.join("tmp").join(format!("{name}.txt"));
    eprintln!("      the figures are in `{}`", table.display());
}
