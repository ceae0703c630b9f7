//! The program; everything is in [`ack_ram_authenticator::cli`].

use std::process::ExitCode;

// It gives memory back to the system after a peak, by a thread of its own; the C library keeps it for ever.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    ack_ram_authenticator::cli::run()
}
