//! The `ack-ram-authenticator` binary as a user runs it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use crate::process::{Process, WaitError};

/// It takes less than a second on two idle cores.
const START_LIMIT: Duration = Duration::from_secs(90);
/// Longer than the server gives what is in flight.
const STOP_LIMIT: Duration = Duration::from_secs(60);
const NAME: &str = "ack-ram-authenticator";

/// The built binary, beside the test that runs.
///
/// # Panics
/// When it has not been built.
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

/// A command line of the binary, run in `folder`, with nothing of the caller's environment: a
/// developer's own keys and proxies must not change what a test sees.
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

    /// Starts what [`command`] made and waits until it listens.
    pub fn start_with(command: Command) -> Result<Self, WaitError> {
        let mut started = Self::spawn(command);
        started.wait_for_log(|line| line.contains("listening"), START_LIMIT)?;
        Ok(started)
    }

    /// Starts what [`command`] made.
    pub fn spawn(command: Command) -> Self {
        let process = Process::spawn(NAME, command).expect("the binary can be started");
        Self { process }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Throws away what it has logged so far: under load that is more than memory holds.
    pub fn forget_log(&self) {
        self.process.forget_log();
    }

    /// The first line of its log, there already or to come, that `wanted` accepts.
    pub fn wait_for_log(
        &mut self,
        wanted: impl Fn(&str) -> bool,
        within: Duration,
    ) -> Result<String, WaitError> {
        self.process.wait_for_line(wanted, within)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Waits until it has ended by itself, or by a signal.
    pub fn wait(&mut self, within: Duration) -> Result<ExitStatus, WaitError> {
        self.process.wait(within)
    }

    /// Ends it without notice.
    pub fn kill(mut self) {
        self.process.kill();
    }

    /// Asks it to end, as an init system does, and waits until it has.
    pub fn stop(mut self) -> Result<ExitStatus, WaitError> {
        self.process.stop(STOP_LIMIT)
    }
}
