//! Lines that a thread of their own writes, so that nobody who has one to write waits for a disk, or for a reader.
//!
//! `tracing-appender` does nearly that. But it counts what found no room alone, not what could not be written, and at
//! the end it may print to standard output, where nobody may be reading either.

use std::io::{self, ErrorKind, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// What waits takes no more bytes than this, and what is being written no more again. Some thousand lines.
const MAX_BUFFERED_BYTES: usize = 2 * 1024 * 1024;
/// What is kept between two batches, so that the next needs no memory of its own.
const RETAINED_CAPACITY: usize = 64 * 1024;
/// How long lines are gathered after some were written: under load a batch is many, and alone a line waits for nothing.
const BATCH_INTERVAL: Duration = Duration::from_millis(5);
/// How long to leave alone what takes nothing more just now.
const WOULD_BLOCK_PAUSE: Duration = Duration::from_millis(10);

/// Where lines go.
pub(crate) trait LineSink: Send + 'static {
    /// Called once, before there is anything to write.
    fn open(&mut self) {}

    /// Writes `lines`, each of which ends with a line feed, and accounts for what cannot be written.
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
    /// When there can be no further thread.
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

    /// Has `line`, which ends with a line feed, written soon.
    ///
    /// # Errors
    /// When too much waits already, or the thread has ended after [`Self::finish`].
    pub(crate) fn push(&self, line: &[u8]) -> Result<(), BufferFull> {
        let mut buffer = self.0.buffer();
        if buffer.is_done || buffer.waiting.len() + line.len() > MAX_BUFFERED_BYTES {
            return Err(BufferFull);
        }
        let was_empty = buffer.waiting.is_empty();
        buffer.waiting.extend_from_slice(line);
        drop(buffer);
        // The thread waits for nothing else, and to wake it is a system call.
        if was_empty {
            self.0.changed.notify_all();
        }
        Ok(())
    }

    /// Waits until all is written, for no longer than `within`. Then the thread ends.
    pub(crate) fn finish(&self, within: Duration) {
        let mut buffer = self.0.buffer();
        buffer.is_closed = true;
        self.0.changed.notify_all();
        let ended = self
            .0
            .changed
            .wait_timeout_while(buffer, within, |buffer| !buffer.is_done);
        drop(ended.unwrap_or_else(PoisonError::into_inner));
    }
}

impl SharedBuffer {
    /// Puts all that waits into `batch`, in place of what has been written; false when nothing comes any more.
    fn next(&self, batch: &mut Vec<u8>) -> bool {
        batch.clear();
        batch.shrink_to(RETAINED_CAPACITY);
        let buffer = self.buffer();
        let buffer = self.changed.wait_while(buffer, |buffer| {
            buffer.waiting.is_empty() && !buffer.is_closed
        });
        let mut buffer = buffer.unwrap_or_else(PoisonError::into_inner);
        mem::swap(&mut buffer.waiting, batch);
        !batch.is_empty()
    }

    fn buffer(&self) -> MutexGuard<'_, LineBuffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Marks the end of the thread, even after a panic.
struct DoneGuard<'a>(&'a SharedBuffer);

impl Drop for DoneGuard<'_> {
    fn drop(&mut self) {
        let mut buffer = self.0.buffer();
        buffer.is_done = true;
        drop(buffer);
        self.0.changed.notify_all();
    }
}

/// What [`write_to`] could not write, and why.
pub(crate) struct Unwritten<'a> {
    /// From the first byte on that was not taken.
    pub(crate) rest: &'a [u8],
    pub(crate) error: io::Error,
}

impl Unwritten<'_> {
    /// How many lines are not there in full.
    pub(crate) fn count(&self) -> u64 {
        count(self.rest)
    }
}

/// How many lines end in `lines`.
pub(crate) fn count(lines: &[u8]) -> u64 {
    lines.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

/// Writes `lines` to `file`, and waits where it takes nothing for a while.
///
/// # Errors
/// What was not written.
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

    /// Hands out what is written, and waits each time until it may go on.
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
        let (written, seen) = mpsc::channel();
        let (open, may_go_on) = mpsc::channel();
        let lines = LineWriter::start("test", Gate { written, may_go_on }).unwrap();
        (lines, seen, open)
    }

    #[test]
    fn writers_never_wait_for_sink() {
        let (lines, seen, open) = gate();
        lines.push(b"first\n").unwrap();
        assert_eq!(seen.recv_timeout(SOON).unwrap(), b"first\n");
        let line = [&[b'x'; 1023][..], b"\n"].concat();
        let mut pushed = 0;
        while lines.push(&line).is_ok() {
            pushed += 1;
        }
        assert_eq!(pushed, MAX_BUFFERED_BYTES / line.len());
        open.send(()).unwrap();
        let batch = seen.recv_timeout(SOON).unwrap();
        assert_eq!(count(&batch), pushed as u64);
        lines.push(b"there is room again\n").unwrap();
        drop(open);
        assert_eq!(seen.recv_timeout(SOON).unwrap(), b"there is room again\n");
    }

    #[test]
    fn finish_waits_for_buffered_lines_up_to_limit() {
        let (lines, seen, open) = gate();
        lines.push(b"last\n").unwrap();
        assert_eq!(seen.recv_timeout(SOON).unwrap(), b"last\n");
        lines.finish(Duration::from_millis(1));
        lines.push(b"of what happens at the end\n").unwrap();
        drop(open);
        lines.finish(SOON);
        let rest = seen.recv_timeout(SOON).unwrap();
        assert_eq!(rest, b"of what happens at the end\n");
        assert_eq!(lines.push(b"too late\n"), Err(BufferFull));
    }

    /// Takes three bytes at a time, so many times.
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
