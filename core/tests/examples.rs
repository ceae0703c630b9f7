//! The programs in `core/examples` print what their comments say.
//!
//! The tests call the code of the programs instead of running them: `cargo test --test examples` does not build the
//! programs, and `cargo run` in a test would wait for the lock of the build.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::error::Error;
use std::io::Write;

#[allow(dead_code, reason = "the tests do not call `main`")]
#[path = "../examples/decide.rs"]
mod decide;
#[allow(dead_code, reason = "the tests do not call `main`")]
#[path = "../examples/explain.rs"]
mod explain;
#[allow(dead_code, reason = "the tests do not call `main`")]
#[path = "../examples/sign.rs"]
mod sign;

/// The function of a program that prints to a writer.
type Print = fn(&mut dyn Write) -> Result<(), Box<dyn Error>>;

/// Asserts that the text block of the comment in `source` is what `run` prints. A documented line that ends in `...` is
/// the start of a printed line.
fn check(source: &str, run: Print) {
    let mut printed = Vec::new();
    run(&mut printed).unwrap();
    let printed = String::from_utf8(printed).unwrap();
    let documented: Vec<&str> = source
        .lines()
        .skip_while(|line| *line != "//! ```text")
        .skip(1)
        .take_while(|line| *line != "//! ```")
        .map(|line| line.strip_prefix("//!").unwrap())
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    assert_eq!(printed.lines().count(), documented.len(), "{printed}");
    for (printed, documented) in printed.lines().zip(documented) {
        match documented.strip_suffix("...") {
            Some(start) => assert!(printed.starts_with(start), "{printed}"),
            None => assert_eq!(printed, documented),
        }
    }
}

#[test]
fn decide_prints_what_its_comment_says() {
    check(include_str!("../examples/decide.rs"), decide::run);
}

#[test]
fn explain_prints_what_its_comment_says() {
    check(include_str!("../examples/explain.rs"), explain::run);
}

#[test]
fn sign_prints_what_its_comment_says() {
    check(include_str!("../examples/sign.rs"), sign::run);
}
