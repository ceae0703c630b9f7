//! The texts that people and machines read, word by word: what a change of a text changes is a diff of `snapshots/`.
//!
//! `INSTA_UPDATE=always cargo test -p ack-ram-tests --test texts` writes the snapshots anew. With `CI=true`, a snapshot that
//! is missing or differs fails the test, and nothing is written.

mod certificates;
mod decision_log;
mod decisions;
mod edits;
mod envoy;
mod envoy_configuration;
mod http;
mod inspector;
mod plan;
mod server;
mod server_log;
mod snapshot;
mod sts_log;
mod vectors;

/// What waits for a server that looks at its files from time to time, or for a limit of time, waits together.
#[tokio::test]
async fn events_that_take_seconds_are_logged_with_these_texts() {
    tokio::join!(
        edits::edit_configuration(),
        edits::break_configuration(),
        edits::edit_dynamic_file(),
        edits::break_dynamic_file(),
        edits::reload_at_once(),
        certificates::replace_own_pair(),
        certificates::remove_client_authority(),
        sts_log::wait_for_answers(),
        sts_log::open_circuit_breaker(),
    );
}
