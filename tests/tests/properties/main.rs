//! Properties of every input, tested with random inputs. A failure prints the smallest input that shows it.

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

/// The number of inputs for each property, unless the property is slow.
const CASES: u32 = 256;

fn cases(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    }
}
