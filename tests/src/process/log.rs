//! The output of a child process, which can be read while the child runs.

use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// How long the end of a child's output may lag behind the exit of the child.
const SETTLE: Duration = Duration::from_secs(10);

/// One of the two output streams.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

/// The lines of both output streams of a child, in the order in which they were read.
#[derive(Clone, Default)]
pub(super) struct Log {
    shared: Arc<(Mutex<LogState>, Condvar)>,
}

#[derive(Default)]
struct LogState {
    lines: Vec<(Stream, String)>,
    open_streams: usize,
}

impl Log {
    /// Reads `stream` to its end on a thread of its own.
    pub(super) fn follow(&self, name: Stream, pipe: Option<impl Read + Send + 'static>) {
        let Some(pipe) = pipe else { return };
        self.update(|state| state.open_streams += 1);
        let log = self.clone();
        thread::spawn(move || {
            let mut reader = BufReader::new(pipe);
            let mut line = Vec::new();
            while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                log.update(|state| state.lines.push((name, text)));
                line.clear();
            }
            log.update(|state| state.open_streams -= 1);
        });
    }

    pub(super) fn text(&self) -> String {
        self.join(|_| true)
    }

    pub(super) fn text_of(&self, name: Stream) -> String {
        self.join(|stream| stream == name)
    }

    /// Discards all lines.
    pub(super) fn clear(&self) {
        self.update(|state| state.lines.clear());
    }

    /// Returns the first line that `wanted` accepts, starting at line `position`. Moves `position` past the lines that
    /// were examined.
    pub(super) fn find(
        &self,
        position: &mut usize,
        wanted: impl Fn(&str) -> bool,
    ) -> Option<String> {
        self.read_state(|state| {
            let mut lines = state.lines.iter().skip(*position).map(|(_, line)| line);
            let found = lines.find(|line| wanted(line));
            *position = state.lines.len();
            found.cloned()
        })
    }

    /// Returns once there are more than `position` lines, or after `within`.
    pub(super) fn wait_for_more(&self, position: usize, within: Duration) {
        self.wait_while(within, |state| state.lines.len() <= position);
    }

    /// Waits for the rest of the output of a child that has exited. If a grandchild keeps the pipe open, the wait is
    /// limited.
    pub(super) fn settle(&self) {
        self.wait_while(SETTLE, |state| state.open_streams > 0);
    }

    fn join(&self, wanted: impl Fn(Stream) -> bool) -> String {
        self.read_state(|state| {
            let lines = state.lines.iter().filter(|(stream, _)| wanted(*stream));
            lines.map(|(_, line)| format!("{line}\n")).collect()
        })
    }

    fn wait_while(&self, within: Duration, unfinished: impl Fn(&LogState) -> bool) {
        let (state, changed) = &*self.shared;
        let _ = changed.wait_while_for(&mut state.lock(), |state| unfinished(state), within);
    }

    fn update(&self, change: impl FnOnce(&mut LogState)) {
        let (state, changed) = &*self.shared;
        change(&mut state.lock());
        changed.notify_all();
    }

    fn read_state<T>(&self, read: impl FnOnce(&LogState) -> T) -> T {
        read(&self.shared.0.lock())
    }
}
