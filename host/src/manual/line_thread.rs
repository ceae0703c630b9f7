//! Why log lines have a thread of their own.
//!
//! A server writes its log to standard error, and decisions to the audit file. Both can block. The reader of a pipe
//! may stop reading, a disk may be full or slow. If the task that decides a login wrote its line itself, a log
//! without a reader would stop all logins. Availability of logins is more important than any single line.
//!
//! # How it works
//!
//! A task passes a complete line to a [`LineWriter`] and continues. The line goes into a buffer of 2 MiB. One thread
//! takes all waiting lines and writes them as one batch to a [`LineSink`]: standard error or the audit file. Under
//! load, a batch has many lines, and the number of system calls stays small.
//!
//! # No line is lost silently
//!
//! If the buffer is full, [`LineWriter::push`] returns an error, and the line is counted. A line that cannot be
//! written is counted, too. The counts are metrics, and the log reports lost lines as soon as it can be written
//! again. For the audit file, the log reports when the trouble begins and when it ends.
//!
//! When the server exits, it waits for the last lines for a limited time ([`LogGuard`]). A reader that does not read
//! cannot keep the process alive.
//!
//! # Floods of lines
//!
//! A denial that needs no call to STS costs its sender nothing, but costs the log a line. Above a rate, a limiter
//! (`host/src/server/line_limiter.rs`) summarizes such lines for each second and reason. Grants, and decisions for
//! which STS was called, always have a line of their own.
//!
//! # Why not `tracing-appender`
//!
//! The library counts lines that found no room, but not lines that cannot be written. At the end of the program, it
//! may print to standard output, which may also block.
//!
//! [`LineSink`]: crate::line_writer::LineSink
//! [`LineWriter::push`]: crate::line_writer::LineWriter::push
//! [`LineWriter`]: crate::line_writer::LineWriter
//! [`LogGuard`]: crate::logging::LogGuard
