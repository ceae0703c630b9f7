//! The audit file and the log of the real binary: their contents, and logins while neither can be written.

mod file;
mod fixture;
mod flood;
mod log;
