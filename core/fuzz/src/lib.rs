//! Fuzz targets: functions that take bytes and panic if the program under test violates an invariant.
//!
//! Each target is a program for libFuzzer. `cargo xtask fuzz` builds and runs the targets. Inputs are text, so that
//! seeds and findings are readable.

mod client_files;
mod client_replies;
mod configuration;
mod edits;
mod proxy;
mod rules;
mod secret_members;
mod seeds;
mod sts_reply;
mod token;
mod token_review;

pub use client_files::client_files;
pub use client_replies::client_replies;
pub use configuration::configuration;
pub use edits::edits;
pub use proxy::proxy;
pub use rules::rules;
pub use seeds::write_seeds;
pub use sts_reply::sts_reply;
pub use token::token;
pub use token_review::token_review;

use ack_ram_core::decision::Decision;
use ack_ram_core::review::{self, ReviewVersion};
use ack_ram_core::time::UnixTime;

/// The current time of all targets, which fits the dates in the seeds: 2026-01-02T03:05:00Z.
const NOW: UnixTime = UnixTime::from_seconds(1_767_323_100);

/// A text that does not occur in an input by chance.
const CANARY: &str = "ZqCaNaRyqZ";

/// Defines `main` of the program of a target. With libFuzzer, the program first writes the seeds of the target to the
/// folder `ACK_RAM_FUZZ_SEEDS`, and then fuzzes. Without libFuzzer, it runs the target on the files in its arguments.
#[macro_export]
macro_rules! program {
    ($target:ident) => {
        #[cfg(feature = "libfuzzer")]
        $crate::libfuzzer_sys::fuzz_target!(
            init: $crate::write_seeds(stringify!($target)),
            |input: &[u8]| $crate::$target(input)
        );

        #[cfg(not(feature = "libfuzzer"))]
        fn main() -> std::io::Result<()> {
            for path in std::env::args_os().skip(1) {
                $crate::$target(&std::fs::read(path)?);
            }
            Ok(())
        }
    };
}

#[cfg(feature = "libfuzzer")]
#[doc(hidden)]
pub use libfuzzer_sys;

/// Checks that the message for the user is one line, and that the reply to the API server is JSON that agrees with the
/// decision.
fn check_decision_output(decision: &Decision) {
    if let Some(message) = decision.public_message() {
        check_line(&message);
    }
    let granted = decision.code() == "granted";
    for version in [ReviewVersion::V1, ReviewVersion::V1Beta1] {
        let answer = review::render_decision(version, decision);
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(matches!(answer.status, 200 | 503), "{body}");
        assert_eq!(body["status"]["authenticated"] == true, granted, "{body}");
    }
    serde_json::to_string(decision.explanation()).unwrap();
}

#[track_caller]
fn check_line(message: &str) {
    assert!(!message.is_empty(), "the message is empty");
    assert!(!message.contains(char::is_control), "{message:?}");
}

/// Checks that `message` is one line. It can quote names of files with other control characters, which the program
/// escapes where it prints messages.
#[track_caller]
fn check_one_line(message: &str) {
    assert!(!message.trim().is_empty(), "the message is empty");
    assert!(!message.contains(['\n', '\r']), "{message:?}");
}
