//! The `ack-ram-authenticator` binary as a user runs it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::process::{Process, WaitError};

/// How long a start may take. On two idle cores, a start takes less than a second.
const START_LIMIT: Duration = Duration::from_secs(90);
/// How long a stop may take: longer than the server waits for in-flight requests.
const STOP_LIMIT: Duration = Duration::from_secs(60);
const NAME: &str = "ack-ram-authenticator";

/// Returns the path of the built binary, which is in the target folder of the running test.
///
/// # Panics
/// If the binary has not been built.
pub fn binary() -> PathBuf {
    let test = env::current_exe().expect("the running test has a path");
    // target/<profile>/deps/<test>, and target/<profile>/examples/<example>
    let beside = test.ancestors().skip(1).take(2);
    let found = beside
        .map(|folder| folder.join(NAME))
        .find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "no `{NAME}` near `{}`: run `cargo build -p {NAME}`",
            test.display()
        )
    })
}

/// Builds a command that runs the binary in `folder`.
///
/// The command does not inherit the environment: a developer's own keys and proxies must not change the result of a
/// test.
pub fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder);
    command
}

/// A running `ack-ram-authenticator server`.
pub struct Authenticator {
    process: Process,
}

impl Authenticator {
    /// Starts `server -c <config>` in `folder` and waits until it listens.
    pub fn start(folder: &Path, config: &Path) -> Result<Self, WaitError> {
        let config = config.to_string_lossy();
        Self::start_with(command(folder, &["server", "-c", &config]))
    }

    /// Starts a server with a command from [`command`] and waits until it listens.
    pub fn start_with(command: Command) -> Result<Self, WaitError> {
        let mut started = Self::spawn(command);
        started.wait_for_log(|line| line.contains("listening"), START_LIMIT)?;
        Ok(started)
    }

    /// Starts a server with a command from [`command`], and does not wait.
    pub fn spawn(command: Command) -> Self {
        let process = Process::spawn(NAME, command).expect("the binary can be started");
        Self { process }
    }

    /// Returns the log so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Discards the log so far. Under load, the log would outgrow the memory.
    pub fn forget_log(&self) {
        self.process.forget_log();
    }

    /// Returns the first line of the log that `wanted` accepts, and waits for the line if it is not there yet.
    pub fn wait_for_log(
        &mut self,
        wanted: impl Fn(&str) -> bool,
        within: Duration,
    ) -> Result<String, WaitError> {
        self.process.wait_for_line(wanted, within)
    }

    /// Returns the process ID.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Waits until the server has exited by itself or by a signal.
    pub fn wait(&mut self, within: Duration) -> Result<ExitStatus, WaitError> {
        self.process.wait(within)
    }

    /// Kills the server with SIGKILL.
    pub fn kill(mut self) {
        self.process.kill();
    }

    /// Stops the server with SIGTERM, as an init system does, and waits until it has exited.
    pub fn stop(mut self) -> Result<ExitStatus, WaitError> {
        self.process.stop(STOP_LIMIT)
    }
}
