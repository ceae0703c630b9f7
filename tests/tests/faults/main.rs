//! The fault matrix: the real server while something around it fails.
//!
//! During every fault, no unmapped caller is granted, and no mapped caller is denied. Without a decision, the answer is
//! HTTP 503. Memory stays bounded, and after the fault, the server recovers without a restart.
//!
//! Each row is a test. The table with the figures of all rows goes to standard output and to `target/tmp/faults.txt`.
//!
//! With the variable `ACK_RAM_SOAK_SECONDS`, the program runs the [soak] instead.

mod clients;
mod clock;
mod endpoints;
mod fixture;
mod life;
mod machine;
mod matrix;
mod network;
mod resolver;
mod soak;
mod sts;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use ack_ram_tests::isolation;
use libtest_mimic::Arguments;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use matrix::Matrix;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    // This must happen before the first thread starts.
    isolation::enter()
        .expect("a network and mounts of its own: run as root, or allow user namespaces");
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit of descriptors");
    setrlimit(Resource::RLIMIT_NOFILE, most, most).expect("the highest limit of descriptors");

    if let Ok(seconds) = env::var(soak::VARIABLE) {
        let seconds = seconds.parse().expect("a number of seconds");
        return soak::run(&arguments, Duration::from_secs(seconds));
    }
    let mut matrix = Matrix::default();
    network::rows(&mut matrix);
    sts::rows(&mut matrix);
    endpoints::rows(&mut matrix);
    clock::rows(&mut matrix);
    machine::rows(&mut matrix);
    life::rows(&mut matrix);
    clients::rows(&mut matrix);
    matrix.run(arguments)
}
