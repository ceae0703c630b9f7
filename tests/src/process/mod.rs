//! Child processes that cannot outlive a test.
//!
//! A [`Process`] runs in its own process group. Dropping it stops the whole group, even while a test panics; in that
//! case, its log is printed to standard error. On Linux, the kernel kills the child when the test process is killed.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};
use std::{io, thread};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use self::log::{Log, Stream};

mod log;

/// The time between SIGTERM and SIGKILL when a process is dropped.
const DROP_GRACE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(10);

/// A child process whose output is kept in memory.
pub struct Process {
    name: String,
    child: Child,
    log: Log,
    group_is_gone: bool,
}

impl Process {
    /// Starts `command` with an empty standard input, and records its output.
    pub fn spawn(name: &str, mut command: Command) -> io::Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = spawn_on_lasting_thread(command)?;
        let log = Log::default();
        log.follow(Stream::Out, child.stdout.take());
        log.follow(Stream::Err, child.stderr.take());
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
            group_is_gone: false,
        })
    }

    /// Returns the process ID, which is also the ID of the process group.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the output so far: standard output and standard error in the order in which they arrived.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Returns the part of [`Self::log`] from standard output.
    pub fn stdout(&self) -> String {
        self.log.text_of(Stream::Out)
    }

    /// Returns the part of [`Self::log`] from standard error.
    pub fn stderr(&self) -> String {
        self.log.text_of(Stream::Err)
    }

    /// Discards the output so far. The output of a verbose process would fill the memory.
    pub fn forget_log(&self) {
        self.log.clear();
    }

    /// Returns the first line that `wanted` accepts, and waits for the line if it is not there yet.
    pub fn wait_for_line(
        &mut self,
        wanted: impl Fn(&str) -> bool,
        within: Duration,
    ) -> Result<String, WaitError> {
        let deadline = Instant::now() + within;
        let mut position = 0;
        loop {
            // The status comes before the log, so that the last lines of a process that has exited are found.
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() {
                self.log.settle();
            }
            if let Some(line) = self.log.find(&mut position, &wanted) {
                return Ok(line);
            }
            let reason = match ended {
                Some(status) => Reason::Ended(status),
                None if Instant::now() >= deadline => Reason::TimedOut(within),
                None => {
                    self.log.wait_for_more(position, POLL);
                    continue;
                }
            };
            return Err(self.failure(reason));
        }
    }

    /// Waits until the process has exited.
    pub fn wait(&mut self, within: Duration) -> Result<ExitStatus, WaitError> {
        let deadline = Instant::now() + within;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                self.log.settle();
                return Ok(status);
            }
            if Instant::now() >= deadline {
                return Err(self.failure(Reason::TimedOut(within)));
            }
            thread::sleep(POLL);
        }
    }

    /// Returns whether the process is still running.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends SIGTERM and waits for the exit. Kills the process after `grace`.
    pub fn stop(&mut self, grace: Duration) -> Result<ExitStatus, WaitError> {
        self.signal(Signal::SIGTERM);
        let ended = self.wait(grace);
        // The rest of the group got the same signal and the same time.
        self.kill();
        ended
    }

    /// Kills the process group immediately: the process and its descendants.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        let _ = self.child.wait();
        self.log.settle();
        // From now on, another process may get the same ID.
        self.group_is_gone = true;
    }

    fn signal(&self, signal: Signal) {
        if let (false, Ok(group)) = (self.group_is_gone, i32::try_from(self.pid())) {
            // Fails only if the group has already exited.
            let _ = killpg(Pid::from_raw(group), signal);
        }
    }

    fn failure(&self, reason: Reason) -> WaitError {
        WaitError {
            name: self.name.clone(),
            reason,
            log: self.log(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_running() {
            let _ = self.stop(DROP_GRACE);
        } else {
            self.kill();
        }
        if thread::panicking() {
            eprintln!("---- log of {} ----\n{}", self.name, self.log());
        }
    }
}

/// The error of a failed wait for a process.
#[derive(Debug, thiserror::Error)]
#[error("{name}{reason}; its log:\n{log}")]
pub struct WaitError {
    name: String,
    reason: Reason,
    log: String,
}

/// The reason of a failed wait, which follows the name of the process in the message.
#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(" exited with {0}")]
    Ended(ExitStatus),
    #[error(": timed out after {0:?}")]
    TimedOut(Duration),
}

impl WaitError {
    /// Returns the output of the process until then.
    pub fn log(&self) -> &str {
        &self.log
    }
}

/// Starts `command` from a thread that lives as long as this process.
///
/// The kernel sends the parent-death signal when the *thread* that forked exits, and test threads exit with their test.
fn spawn_on_lasting_thread(command: Command) -> io::Result<Child> {
    type Order = (Command, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();

    let spawner = SPAWNER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in inbox {
                die_with_parent(&mut command);
                let _ = reply.send(command.spawn());
            }
        });
        orders
    });
    let (reply, child) = mpsc::channel();
    let gone = |_| io::Error::other("the spawner thread has exited");
    spawner.send((command, reply)).map_err(|_| gone(()))?;
    child.recv().map_err(|_| gone(()))?
}

#[cfg(target_os = "linux")]
fn die_with_parent(command: &mut Command) {
    let ask = || nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(io::Error::from);
    // SAFETY: between fork and exec only async-signal-safe calls may run; `prctl` is one system
    // call, and the conversion of its error allocates nothing.
    unsafe {
        command.pre_exec(ask);
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent(_: &mut Command) {}
