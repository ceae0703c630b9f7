//! Child processes that cannot outlive a test.
//!
//! A [`Process`] runs in a process group of its own. Dropping it ends the whole group, also while a
//! test panics, and then its log goes to standard error. On Linux the kernel ends it too when the
//! test process itself is killed.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};
use std::{io, thread};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use self::log::{Log, Stream};

mod log;

/// How long a process has between SIGTERM and SIGKILL when it is dropped.
const DROP_GRACE: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(10);

/// A running child whose output is kept in memory.
pub struct Process {
    name: String,
    child: Child,
    log: Log,
    group_is_gone: bool,
}

impl Process {
    /// Starts `command` with nothing on standard input, and keeps what it prints.
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

    /// The process id, which is also the id of its group.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far, standard output and standard error in the order they came.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// The part of [`Self::log`] that went to standard output.
    pub fn stdout(&self) -> String {
        self.log.text_of(Stream::Out)
    }

    /// The part of [`Self::log`] that went to standard error.
    pub fn stderr(&self) -> String {
        self.log.text_of(Stream::Err)
    }

    /// Throws away what it has printed so far: a process that prints a lot would fill the memory.
    pub fn forget_log(&self) {
        self.log.clear();
    }

    /// The first line, printed already or to come, that `wanted` accepts.
    pub fn wait_for_line(
        &mut self,
        wanted: impl Fn(&str) -> bool,
        within: Duration,
    ) -> Result<String, WaitError> {
        let deadline = Instant::now() + within;
        let mut seen = 0;
        loop {
            // Asked before the log is read, so that the last words of a process that ended count.
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() {
                self.log.settle();
            }
            if let Some(line) = self.log.find(&mut seen, &wanted) {
                return Ok(line);
            }
            let reason = match ended {
                Some(status) => Reason::Ended(status),
                None if Instant::now() >= deadline => Reason::TimedOut(within),
                None => {
                    self.log.wait_for_more(seen, POLL);
                    continue;
                }
            };
            return Err(self.failure(reason));
        }
    }

    /// Waits for the process to end by itself.
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

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end with SIGTERM and waits; one that takes longer than `grace` is killed.
    pub fn stop(&mut self, grace: Duration) -> Result<ExitStatus, WaitError> {
        self.signal(Signal::SIGTERM);
        let ended = self.wait(grace);
        // Whoever is left in the group had the same notice.
        self.kill();
        ended
    }

    /// Ends it and everything it started, at once.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        let _ = self.child.wait();
        self.log.settle();
        // Its id may be somebody else's from here on.
        self.group_is_gone = true;
    }

    fn signal(&self, signal: Signal) {
        if let (false, Ok(group)) = (self.group_is_gone, i32::try_from(self.pid())) {
            // Fails only for a group that ended by itself.
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

/// Waiting for a process came to nothing.
#[derive(Debug, thiserror::Error)]
#[error("{name}{reason}; its log:\n{log}")]
pub struct WaitError {
    name: String,
    reason: Reason,
    log: String,
}

/// What follows the name of the process.
#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(" ended with {0}")]
    Ended(ExitStatus),
    #[error(": nothing within {0:?}")]
    TimedOut(Duration),
}

impl WaitError {
    /// What the process had printed until then.
    pub fn log(&self) -> &str {
        &self.log
    }
}

/// Starts `command` from a thread that lives as long as this process.
///
/// The kernel sends the parent-death signal when the *thread* that forked ends, and test threads
/// end with their test.
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
    let gone = |_| io::Error::other("the spawner thread is gone");
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
