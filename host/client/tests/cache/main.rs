//! The cache and the sessions of many processes at once. Each test starts copies of itself as clients, which run
//! [`process::client_process`].

#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a panic is how a test fails, and a process prints its result"
)]

mod cold;
mod failures;
mod fixture;
mod identities;
mod process;
mod renewals;
mod server;
mod sessions;
mod signals;
