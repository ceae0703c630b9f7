//! The resource usage of a process.

use std::time::Duration;
use std::{fs, io};

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
