//! Groups of processes that end with this program. A signal that ends this program does not reach them.

use std::io;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

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
    WATCH.get_or_init(|| platform::before_end_by_signal(end_all));
    // A signal waits until the group is known.
    let mut groups = groups();
    let child = command.spawn()?;
    let id = child.id();
    groups.extend(id);
    Ok((child, ProcessGroup(id)))
}

/// Kills all groups. No process can be started while the result lives.
fn end_all() -> MutexGuard<'static, Vec<u32>> {
    let groups = groups();
    groups.iter().copied().for_each(platform::end_group);
    groups
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
