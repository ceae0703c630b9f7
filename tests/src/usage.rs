//! The resource usage of a process.

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;
use std::{fs, io};

use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// The resource usage of a process at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// The resident memory, in KiB.
    pub resident_kib: u64,
    /// The peak of the resident memory, in KiB.
    pub peak_kib: u64,
    /// The number of open file descriptors.
    pub descriptors: u64,
    /// The number of threads.
    pub threads: u64,
}

impl Usage {
    /// Reads the usage of the process `pid`.
    ///
    /// # Errors
    /// If the process does not exist.
    pub fn read_process(pid: u32) -> io::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let number = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            number.ok_or_else(|| io::Error::other(format!("no `{field}` of process {pid}")))
        };
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd"))?.count();
        Ok(Self {
            resident_kib: number("VmRSS:")?,
            peak_kib: number("VmHWM:")?,
            descriptors: descriptors.try_into().unwrap_or(u64::MAX),
            threads: number("Threads:")?,
        })
    }
}

/// Returns the CPU time of the process `pid` since its start, including all threads that have ended.
///
/// # Errors
/// If the process does not exist.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    let clock = clock_getcpuclockid(Pid::from_raw(pid))?;
    Ok(Duration::from(clock_gettime(clock)?))
}

/// Runs `command`, and returns the peak of its resident memory at its exit, in KiB.
///
/// The process is traced, and stops before it exits. The resource usage that the kernel reports after the exit would
/// include the memory of this process, from which the child is forked.
///
/// # Errors
/// If the command cannot be started or traced, or fails.
pub fn peak_memory(mut command: Command) -> io::Result<u64> {
    let trace = || ptrace::traceme().map_err(io::Error::from);
    // SAFETY: between fork and exec only async-signal-safe calls may run; `ptrace` is one system call, and the
    // conversion of its error allocates nothing.
    unsafe {
        command.pre_exec(trace);
    }
    let mut child = command.spawn()?;
    let pid = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    let mut peak = None;
    loop {
        match waitpid(pid, None)? {
            // The process has started, but runs nothing of its program yet.
            WaitStatus::Stopped(_, Signal::SIGTRAP) => {
                let options = Options::PTRACE_O_TRACEEXIT | Options::PTRACE_O_EXITKILL;
                ptrace::setoptions(pid, options)?;
                ptrace::cont(pid, None)?;
            }
            WaitStatus::PtraceEvent(_, _, event) if event == Event::PTRACE_EVENT_EXIT as i32 => {
                peak = Some(Usage::read_process(child.id())?.peak_kib);
                ptrace::cont(pid, None)?;
            }
            WaitStatus::Stopped(_, signal) => ptrace::cont(pid, signal)?,
            WaitStatus::Exited(_, 0) => {
                return peak.ok_or_else(|| io::Error::other("the exit was not traced"));
            }
            WaitStatus::Exited(_, code) => {
                return Err(io::Error::other(format!("exit code {code}")));
            }
            WaitStatus::Signaled(_, signal, _) => {
                return Err(io::Error::other(format!("ended by {signal}")));
            }
            _ => {
                child.kill()?;
            }
        }
    }
}
