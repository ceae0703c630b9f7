//! The cache and the sessions of many processes at once. Each test starts copies of itself as clients, which run
//! [`process::client_process`].

#![cfg(unix)]

mod cold;
mod failures;
mod fixture;
mod process;
mod renewals;
mod server;
mod sessions;
