//! The audit file and the log of the real binary: what stands there, and what becomes of logins when neither can be
//! written.

mod file;
mod fixture;
mod flood;
mod log;
