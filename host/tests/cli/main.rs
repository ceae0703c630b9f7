//! Tests of the program, run as users, kubectl and init systems run it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is how a test fails"
)]

mod bad_input;
mod cache;
mod check;
mod colors;
mod doctor;
mod environment;
mod explain;
mod help;
mod init;
mod inspect;
mod inspector;
mod kubeconfig;
mod login;
mod login_setup;
mod program;
mod proxy;
mod server;
mod snapshots;
mod verify;
mod whoami;
