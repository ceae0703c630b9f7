//! A runner of commands that prints the progress, writes the output to a file, limits the time, and leaves no
//! processes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, PipeReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::failure::Failure;
use crate::summary::seconds;

/// How long a command may run: longer than any command takes on a slow machine.
const LIMIT: Duration = Duration::from_secs(45 * 60);
const PROGRESS_INTERVAL: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);
/// The time between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);
/// The number of lines of a failed command's output that are printed. The log file contains the complete output.
const SHOWN_LINES: usize = 1000;

/// A runner of commands.
pub struct Runner {
    logs: PathBuf,
    verbose: bool,
    interrupted: Arc<AtomicBool>,
}

impl Runner {
    /// Builds a runner that writes the output of commands to the folder `logs`.
    pub fn new(logs: PathBuf, verbose: bool) -> Result<Self, Failure> {
        fs::create_dir_all(&logs).map_err(Failure::io(logs.display().to_string()))?;
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))
                .map_err(Failure::io("signal handler"))?;
        }
        Ok(Self {
            logs,
            verbose,
            interrupted,
        })
    }

    /// Returns the folder of the logs, which is also suitable for temporary files.
    pub fn folder(&self) -> &Path {
        &self.logs
    }

    /// Runs `command`, and returns its output if it succeeds. `name` is the name of its log file.
    pub fn run(&self, name: &str, command: Command) -> Result<String, Failure> {
        self.finish(name, command)?.into_success()
    }

    /// Runs `command` until it exits. Prints the end of the output if the command fails.
    pub fn finish(&self, name: &str, command: Command) -> Result<FinishedCommand, Failure> {
        self.finish_within(LIMIT, name, command)
    }

    /// Runs `command` as [`Self::finish`] does, for at most `limit`.
    pub fn finish_within(
        &self,
        limit: Duration,
        name: &str,
        command: Command,
    ) -> Result<FinishedCommand, Failure> {
        let finished = self.attempt(limit, name, command)?;
        if !finished.status.success() && !self.verbose {
            print_tail(&finished.output);
        }
        Ok(finished)
    }

    /// Runs `command` for at most `limit`. Prints nothing if it fails, because the caller handles the failure.
    pub fn attempt(
        &self,
        limit: Duration,
        name: &str,
        mut command: Command,
    ) -> Result<FinishedCommand, Failure> {
        let (reader, writer) = std::io::pipe().map_err(Failure::io("pipe"))?;
        let second = writer.try_clone().map_err(Failure::io("pipe"))?;
        command.stdin(Stdio::null()).stdout(writer).stderr(second);
        // With its own group, the command can be killed with its children, and only this program gets Ctrl-C.
        command.process_group(0);
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().map_err(Failure::io(program))?;
        // The command holds the write ends of the pipe: the reader waits until they are closed.
        drop(command);

        let output = Arc::new(Mutex::new(String::new()));
        let copy = self.copy_output(name, reader, Arc::clone(&output))?;
        let ended = self.wait(&mut child, limit, name, &output);
        end_group(&mut child, Signal::SIGKILL);
        let _ = copy.join();
        let output = std::mem::take(&mut *output.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(FinishedCommand {
            status: ended?,
            output,
            name: name.to_owned(),
            log: self.log_path(name),
        })
    }

    fn wait(
        &self,
        child: &mut Child,
        limit: Duration,
        name: &str,
        output: &Mutex<String>,
    ) -> Result<ExitStatus, Failure> {
        let start = Instant::now();
        let mut reported = start;
        loop {
            if let Some(status) = child.try_wait().map_err(Failure::io(name))? {
                return Ok(status);
            }
            let failure = if self.interrupted.load(Ordering::Relaxed) {
                Some(Failure::Interrupted)
            } else if start.elapsed() > limit {
                Some(Failure::TimedOut {
                    what: name.to_owned(),
                    limit,
                    log: self.log_path(name),
                })
            } else {
                None
            };
            if let Some(failure) = failure {
                end_group(child, Signal::SIGTERM);
                return Err(failure);
            }
            if reported.elapsed() > PROGRESS_INTERVAL {
                reported = Instant::now();
                let output = output.lock().unwrap_or_else(PoisonError::into_inner);
                let mut lines = output.lines().rev().map(str::trim);
                let last = lines.find(|line| !line.is_empty()).unwrap_or("nothing yet");
                let brief: String = last.chars().take(60).collect();
                eprintln!("      {name}, {} so far: {brief}", seconds(start.elapsed()));
            }
            thread::sleep(POLL);
        }
    }

    fn copy_output(
        &self,
        name: &str,
        reader: PipeReader,
        output: Arc<Mutex<String>>,
    ) -> Result<thread::JoinHandle<()>, Failure> {
        let path = self.log_path(name);
        let mut file = File::create(&path).map_err(Failure::io(path.display().to_string()))?;
        let verbose = self.verbose;
        Ok(thread::spawn(move || {
            let mut reader = BufReader::new(reader);
            let mut line = Vec::new();
            while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
                // The log is optional, and other steps report a full disk.
                let _ = file.write_all(&line);
                let text = String::from_utf8_lossy(&line);
                if verbose {
                    eprint!("{text}");
                }
                output
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push_str(&text);
                line.clear();
            }
        }))
    }

    fn log_path(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{}.log", name.replace(' ', "-")))
    }
}

/// A command that has exited.
pub struct FinishedCommand {
    /// Its output on both streams.
    pub output: String,
    /// Its exit status.
    pub status: ExitStatus,
    name: String,
    log: PathBuf,
}

impl FinishedCommand {
    /// Returns the output if the command was successful.
    pub fn into_success(self) -> Result<String, Failure> {
        if self.status.success() {
            return Ok(self.output);
        }
        Err(Failure::Command {
            what: self.name,
            status: self.status,
            log: self.log,
        })
    }
}

/// Sends `signal` to the remaining processes in the group of the child, and waits for the child.
fn end_group(child: &mut Child, signal: Signal) {
    if let Ok(id) = i32::try_from(child.id()) {
        let group = Pid::from_raw(id);
        // Fails only if no process remains.
        let _ = killpg(group, signal);
        let deadline = Instant::now() + GRACE;
        while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(POLL);
        }
    }
}

fn print_tail(output: &str) {
    let lines: Vec<&str> = output.lines().collect();
    let hidden = lines.len().saturating_sub(SHOWN_LINES);
    if hidden > 0 {
        eprintln!("({hidden} earlier lines are not shown)");
    }
    for line in &lines[hidden..] {
        eprintln!("{line}");
    }
}
