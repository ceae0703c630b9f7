//! Metrics of the process, under the names that every Prometheus library uses.

use procfs::process::{LimitValue, Process};
use prometheus::{Counter, Error, Gauge, Opts, Registry};

use crate::metrics::register;

/// Metrics of the process.
pub(super) struct ProcessGauges {
    cpu_seconds: Counter,
    open_fds: Gauge,
    max_fds: Gauge,
    virtual_memory: Gauge,
    max_virtual_memory: Gauge,
    resident_memory: Gauge,
    start_time: Gauge,
}

impl ProcessGauges {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let cpu_seconds = Opts::new(
            "process_cpu_seconds_total",
            "Total user and system CPU time spent in seconds.",
        );
        let gauge =
            |name: &str, help: &str| register(registry, Gauge::with_opts(Opts::new(name, help)));
        Ok(Self {
            cpu_seconds: register(registry, Counter::with_opts(cpu_seconds))?,
            open_fds: gauge("process_open_fds", "Number of open file descriptors.")?,
            max_fds: gauge(
                "process_max_fds",
                "Maximum number of open file descriptors.",
            )?,
            virtual_memory: gauge(
                "process_virtual_memory_bytes",
                "Virtual memory size in bytes.",
            )?,
            max_virtual_memory: gauge(
                "process_virtual_memory_max_bytes",
                "Maximum amount of virtual memory available in bytes.",
            )?,
            resident_memory: gauge(
                "process_resident_memory_bytes",
                "Resident memory size in bytes.",
            )?,
            start_time: gauge(
                "process_start_time_seconds",
                "Start time of the process since unix epoch in seconds.",
            )?,
        })
    }

    /// Updates the metrics. A value that the system does not report stays unchanged.
    pub(super) fn refresh(&self) {
        let Ok(process) = Process::myself() else {
            return;
        };
        if let Ok(stat) = process.stat() {
            let seconds = |ticks: u64| ticks as f64 / procfs::ticks_per_second() as f64;
            let more = seconds(stat.utime + stat.stime) - self.cpu_seconds.get();
            self.cpu_seconds.inc_by(more.max(0.0));
            self.virtual_memory.set(stat.vsize as f64);
            let resident = stat.rss.saturating_mul(procfs::page_size());
            self.resident_memory.set(resident as f64);
            if let Ok(boot) = procfs::boot_time_secs() {
                self.start_time.set(boot as f64 + seconds(stat.starttime));
            }
        }
        if let Ok(count) = process.fd_count() {
            self.open_fds.set(count as f64);
        }
        if let Ok(limits) = process.limits() {
            let number = |limit| match limit {
                LimitValue::Value(limit) => limit as f64,
                LimitValue::Unlimited => u64::MAX as f64,
            };
            self.max_fds.set(number(limits.max_open_files.soft_limit));
            let memory = number(limits.max_address_space.soft_limit);
            self.max_virtual_memory.set(memory);
        }
    }
}
