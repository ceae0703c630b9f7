//! The texts that people and machines read, word by word: what a change of a text changes is a diff of `snapshots/`.
//!
//! `INSTA_UPDATE=always cargo test -p ack-ram-tests --test texts` writes the snapshots anew. With `CI=true`, a snapshot that
//! is missing or differs fails the test, and nothing is written.

mod decision_log;
mod decisions;
mod envoy;
mod http;
mod inspector;
mod server;
mod server_log;
mod snapshot;
mod sts_log;
mod vectors;
