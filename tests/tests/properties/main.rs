//! What holds for every input, tried on inputs made at random. A failure prints the smallest input that shows it.

mod bad_input;
mod decisions;
mod edits;
mod forgeries;
mod inputs;
mod json;
mod parse_print;
mod patterns;
mod requests;
mod templates;

use proptest::test_runner::Config;

/// How often each property is tried, unless it is slow.
const CASES: u32 = 256;

fn cases(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    }
}
