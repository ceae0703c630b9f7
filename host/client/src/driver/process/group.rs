//! Groups of processes that end with this program. A signal that ends this program does not reach them.

use std::io;
#[cfg(unix)]
use std::sync::mpsc;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
#[cfg(unix)]
use std::thread;

#[cfg(unix)]
use signal_hook::iterator::Signals;
use tokio::process::{Child, Command};

use crate::platform;

/// The groups that run.
static GROUPS: Mutex<Vec<u32>> = Mutex::new(Vec::new());

fn groups() -> MutexGuard<'static, Vec<u32>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The group of a process. If a signal ends this program, the group is killed, until this value is dropped.
pub(super) struct ProcessGroup(Option<u32>);

/// Starts a process that leads a group.
pub(super) fn spawn(command: &mut Command) -> io::Result<(Child, ProcessGroup)> {
    static WATCH: OnceLock<()> = OnceLock::new();
    WATCH.get_or_init(watch_signals);
    // A signal waits until the group is known.
    let mut groups = groups();
    let child = command.spawn()?;
    let id = child.id();
    groups.extend(id);
    Ok((child, ProcessGroup(id)))
}

impl ProcessGroup {
    /// Kills all processes of the group.
    pub(super) fn end(&self) {
        self.0.into_iter().for_each(platform::end_group);
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        groups().retain(|group| Some(*group) != self.0);
    }
}

/// Starts a thread that handles the signals with which a person or a shell ends a command, for the rest of the program.
/// Without the thread, a signal ends this program alone.
#[cfg(unix)]
fn watch_signals() {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::Builder::new().name("signals".to_owned());
    let thread = thread.spawn(move || {
        platform::hold_back_signals();
        let Ok(signals) = Signals::new(end_signals()) else {
            return;
        };
        let _ = sender.send(());
        end_with_signal(signals);
    });
    if thread.is_ok() {
        // It fails if the thread has ended.
        let _ = receiver.recv();
    }
}

#[cfg(not(unix))]
fn watch_signals() {}

/// Waits for a signal, kills the groups, and ends this program by the signal.
#[cfg(unix)]
fn end_with_signal(mut signals: Signals) {
    let Some(signal) = signals.forever().next() else {
        return;
    };
    let _no_delay = platform::wait_for_delayed_signals();
    let groups = groups();
    groups.iter().copied().for_each(platform::end_group);
    // The signal is known, so there is no error.
    let _ = signal_hook::low_level::emulate_default_handler(signal);
}

/// Returns the signals that end this program. A program of `nohup`, or in the background of a script, ignores some.
#[cfg(unix)]
fn end_signals() -> impl Iterator<Item = i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let ignored = ignored.unwrap_or_default();
    let signals = platform::END_SIGNALS.map(|signal| signal as i32);
    let is_default = move |signal: &i32| ignored & (1 << (signal - 1)) == 0;
    signals.into_iter().filter(is_default)
}
