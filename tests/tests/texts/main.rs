//! The exact texts that users and machines read: every change of a text is a diff in `snapshots/`.
//!
//! `INSTA_UPDATE=always cargo test -p ack-ram-tests --test texts` updates the snapshots. With `CI=true`, a test fails
//! if a snapshot is missing or differs, and nothing is written.

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

/// Runs all tests together that wait for a poll of files or for a timeout.
#[tokio::test]
async fn slow_events_are_logged_with_these_texts() {
    tokio::join!(
        edits::edit_configuration(),
        edits::break_configuration(),
        edits::edit_dynamic_file(),
        edits::break_dynamic_file(),
        edits::reload_immediately(),
        certificates::replace_own_pair(),
        certificates::remove_client_authority(),
        sts_log::wait_for_answers(),
        sts_log::open_circuit_breaker(),
    );
}
