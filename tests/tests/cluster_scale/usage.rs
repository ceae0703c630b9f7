//! Memory and CPU time that a process has used.

use std::fmt;
use std::fs;

use crate::fixture::ScaleFixture;

/// Usage since the start of the process.
pub struct ServerUsage {
    resident_kib: u64,
    /// Memory without the pages of the program's own file.
    anonymous_kib: u64,
    peak_kib: u64,
    cpu_seconds: f64,
}

impl ServerUsage {
    /// Measures the authenticator.
    pub async fn measure(fixture: &ScaleFixture) -> Self {
        let path = format!("/proc/{}/status", fixture.server.server().pid());
        let status = fs::read_to_string(path).unwrap();
        let kib = |field: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            let number = line.unwrap().split_whitespace().next().unwrap();
            number.parse().unwrap()
        };
        Self {
            resident_kib: kib("VmRSS:"),
            anonymous_kib: kib("RssAnon:"),
            peak_kib: kib("VmHWM:"),
            cpu_seconds: fixture.metric("process_cpu_seconds_total", &[]).await,
        }
    }
}

impl fmt::Display for ServerUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |kib: u64| format!("{}.{} MiB", kib / 1024, kib % 1024 * 10 / 1024);
        let [resident, anonymous, peak] =
            [self.resident_kib, self.anonymous_kib, self.peak_kib].map(mib);
        let cpu = self.cpu_seconds;
        write!(
            f,
            "resident {resident}, of which anonymous {anonymous}; at most {peak}; CPU {cpu:.2} s"
        )
    }
}
