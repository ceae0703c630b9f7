//! The program. All code is in [`ack_ram_authenticator::cli`].

use std::process::ExitCode;

// After a peak, jemalloc returns memory to the system in a background thread. The allocator of the C library keeps it.
#[cfg(all(feature = "server", target_os = "linux", target_env = "gnu"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    ack_ram_authenticator::cli::run()
}
