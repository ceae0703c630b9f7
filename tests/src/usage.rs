//! What a process has of the machine.

use std::time::Duration;
use std::{fs, io};

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// At one moment.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Memory, in KiB.
    pub resident_kib: u64,
    /// The most memory that it ever had, in KiB.
    pub peak_kib: u64,
    /// File descriptors.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
}

impl Usage {
    /// Of the process `pid`.
    ///
    /// # Errors
    /// When it is gone.
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

/// The CPU time that the process `pid` has had since it started, of all its threads, those that ended too.
///
/// # Errors
/// When it is gone.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    let clock = clock_getcpuclockid(Pid::from_raw(pid))?;
    Ok(Duration::from(clock_gettime(clock)?))
}
