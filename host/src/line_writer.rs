//! A writer of lines on its own thread, so that callers never wait for a disk or for a reader.
//!
//! The reasons are in [`crate::manual::line_thread`].

use std::io::{self, ErrorKind, Write};
use std::mem;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Maximum number of bytes that wait. The batch that is being written has the same limit. It is enough for thousands of
/// lines.
const MAX_BUFFERED_BYTES: usize = 2 * 1024 * 1024;
/// Capacity that the buffer keeps between batches, so that the next batch needs no allocation.
const RETAINED_CAPACITY: usize = 64 * 1024;
/// Pause after each write. Under load, it collects lines into batches; a single line is written without delay.
const BATCH_INTERVAL: Duration = Duration::from_millis(5);
/// Pause before retrying a file that accepts no more bytes for now.
const WOULD_BLOCK_PAUSE: Duration = Duration::from_millis(10);

/// A destination of lines.
pub(crate) trait LineSink: Send + 'static {
    /// Opens the destination. Called once, before the first write.
    fn open(&mut self) {}

    /// Writes `lines`, each of which ends with a line feed, and accounts for lines that cannot be written.
    fn write(&mut self, lines: &[u8]);
}

/// Passes lines to a thread that writes them.
#[derive(Clone)]
pub(crate) struct LineWriter(Arc<SharedBuffer>);

#[derive(Default)]
struct SharedBuffer {
    buffer: Mutex<LineBuffer>,
    changed: Condvar,
}

#[derive(Default)]
struct LineBuffer {
    waiting: Vec<u8>,
    is_closed: bool,
    is_done: bool,
}

/// The buffer has no room for a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BufferFull;

impl LineWriter {
    /// Starts the thread called `name`, which writes to `sink`.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub(crate) fn start(name: &str, mut sink: impl LineSink) -> io::Result<Self> {
        let lines = Self(Arc::default());
        let shared = Arc::clone(&lines.0);
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let _done = DoneGuard(&shared);
                sink.open();
                let mut batch = Vec::new();
                while shared.next(&mut batch) {
                    sink.write(&batch);
                    thread::sleep(BATCH_INTERVAL);
                }
            })?;
        Ok(lines)
    }

    /// Queues `line`, which ends with a line feed.
    ///
    /// # Errors
    /// If the buffer has no room for `line`, or the thread has exited after [`Self::finish`].
    pub(crate) fn push(&self, line: &[u8]) -> Result<(), BufferFull> {
        let mut buffer = self.0.buffer.lock();
        if buffer.is_done || buffer.waiting.len() + line.len() > MAX_BUFFERED_BYTES {
            return Err(BufferFull);
        }
        let was_empty = buffer.waiting.is_empty();
        buffer.waiting.extend_from_slice(line);
        drop(buffer);
        // A wakeup is a system call, and the thread waits only while the buffer is empty.
        if was_empty {
            self.0.changed.notify_all();
        }
        Ok(())
    }

    /// Waits until all lines are written, but not longer than `within`. The thread then exits.
    pub(crate) fn finish(&self, within: Duration) {
        let mut buffer = self.0.buffer.lock();
        buffer.is_closed = true;
        self.0.changed.notify_all();
        self.0
            .changed
            .wait_while_for(&mut buffer, |buffer| !buffer.is_done, within);
    }
}

impl SharedBuffer {
    /// Moves all waiting lines into `batch`, replacing its contents. Returns false after the last line.
    fn next(&self, batch: &mut Vec<u8>) -> bool {
        batch.clear();
        batch.shrink_to(RETAINED_CAPACITY);
        let mut buffer = self.buffer.lock();
        self.changed.wait_while(&mut buffer, |buffer| {
            buffer.waiting.is_empty() && !buffer.is_closed
        });
        mem::swap(&mut buffer.waiting, batch);
        !batch.is_empty()
    }
}

/// Marks the end of the thread, even if it panics.
struct DoneGuard<'a>(&'a SharedBuffer);

impl Drop for DoneGuard<'_> {
    fn drop(&mut self) {
        let mut buffer = self.0.buffer.lock();
        buffer.is_done = true;
        drop(buffer);
        self.0.changed.notify_all();
    }
}

/// The bytes that [`write_to`] could not write, and the cause.
pub(crate) struct Unwritten<'a> {
    /// The input from the first unwritten byte on.
    pub(crate) rest: &'a [u8],
    pub(crate) error: io::Error,
}

impl Unwritten<'_> {
    /// Returns the number of lines that were not written completely.
    pub(crate) fn count(&self) -> u64 {
        count(self.rest)
    }
}

/// Returns the number of lines that end in `lines`.
pub(crate) fn count(lines: &[u8]) -> u64 {
    lines.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

/// Writes `lines` to `file`, and retries while the file accepts no bytes for now.
///
/// # Errors
/// Returns the unwritten bytes.
pub(crate) fn write_to<'a>(file: &mut impl Write, lines: &'a [u8]) -> Result<(), Unwritten<'a>> {
    let mut rest = lines;
    while !rest.is_empty() {
        let error = match file.write(rest) {
            Ok(0) => ErrorKind::WriteZero.into(),
            Ok(written) => {
                rest = rest.get(written..).unwrap_or_default();
                continue;
            }
            Err(error) => error,
        };
        match error.kind() {
            ErrorKind::Interrupted => {}
            ErrorKind::WouldBlock => thread::sleep(WOULD_BLOCK_PAUSE),
            _ => return Err(Unwritten { rest, error }),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver, Sender};

    use super::*;

    const SOON: Duration = Duration::from_secs(30);

    /// Reports each write, and blocks it until the test continues.
    struct Gate {
        written: Sender<Vec<u8>>,
        may_go_on: Receiver<()>,
    }

    impl LineSink for Gate {
        fn write(&mut self, lines: &[u8]) {
            let _test_may_be_over = self.written.send(lines.to_vec());
            let _test_may_be_over = self.may_go_on.recv();
        }
    }

    fn gate() -> (LineWriter, Receiver<Vec<u8>>, Sender<()>) {
        let (written, batches) = mpsc::channel();
        let (open, may_go_on) = mpsc::channel();
        let lines = LineWriter::start("test", Gate { written, may_go_on }).unwrap();
        (lines, batches, open)
    }

    #[test]
    fn writers_never_wait_for_sink() {
        let (lines, batches, open) = gate();
        lines.push(b"first\n").unwrap();
        assert_eq!(batches.recv_timeout(SOON).unwrap(), b"first\n");
        let line = [&[b'x'; 1023][..], b"\n"].concat();
        let mut pushed = 0;
        while lines.push(&line).is_ok() {
            pushed += 1;
        }
        assert_eq!(pushed, MAX_BUFFERED_BYTES / line.len());
        open.send(()).unwrap();
        let batch = batches.recv_timeout(SOON).unwrap();
        assert_eq!(count(&batch), pushed as u64);
        lines.push(b"there is room again\n").unwrap();
        drop(open);
        assert_eq!(
            batches.recv_timeout(SOON).unwrap(),
            b"there is room again\n"
        );
    }

    #[test]
    fn finish_waits_for_buffered_lines_up_to_limit() {
        let (lines, batches, open) = gate();
        lines.push(b"last\n").unwrap();
        assert_eq!(batches.recv_timeout(SOON).unwrap(), b"last\n");
        lines.finish(Duration::from_millis(1));
        lines.push(b"during shutdown\n").unwrap();
        drop(open);
        lines.finish(SOON);
        let rest = batches.recv_timeout(SOON).unwrap();
        assert_eq!(rest, b"during shutdown\n");
        assert_eq!(lines.push(b"too late\n"), Err(BufferFull));
    }

    /// Fails after a number of calls. Every third call before that writes up to three bytes.
    struct Taking(usize, Vec<u8>);

    impl Write for Taking {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or(ErrorKind::StorageFull)?;
            match self.0 % 3 {
                0 => Err(ErrorKind::Interrupted.into()),
                1 => Err(ErrorKind::WouldBlock.into()),
                _ => self.1.write(&bytes[..bytes.len().min(3)]),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn partial_lines_count_as_unwritten() {
        for (times, written, unwritten) in [
            (0, "", 3),
            (3, "a\nb", 2),
            (6, "a\nbb\nc", 1),
            (9, "a\nbb\nccc\n", 0),
        ] {
            let mut taking = Taking(times, Vec::new());
            let unwritten_lines = write_to(&mut taking, b"a\nbb\nccc\n").err();
            assert_eq!(taking.1, written.as_bytes(), "{times}");
            let count = unwritten_lines.map_or(0, |unwritten| unwritten.count());
            assert_eq!(count, unwritten, "{times}");
        }
    }
}
