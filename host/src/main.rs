//! The program; everything is in [`ack_ram_authenticator::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ack_ram_authenticator::cli::run()
}
