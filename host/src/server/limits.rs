//! How much the server does at once.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// More connections than this are no API servers.
const MAX_CONNECTIONS: u64 = 4_096;
/// More calls to STS at once would only be throttled there.
const MAX_STS_CALLS: u64 = 512;
/// A kubelet asks one thing at a time.
pub(super) const HEALTH_CONNECTIONS: usize = 64;

/// What the file descriptors of this process are enough for.
pub(super) struct Limits {
    pub(super) connections: usize,
    pub(super) sts_calls: usize,
}

impl Limits {
    /// Asks the system for as many descriptors as it gives, as Go does for every program, and shares them out.
    pub(super) fn of_this_process() -> Self {
        let descriptors = match getrlimit(Resource::RLIMIT_NOFILE) {
            Ok((soft, hard)) => match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
                Ok(()) => hard,
                Err(_) => soft,
            },
            Err(_) => 1_024,
        };
        Self::share(descriptors)
    }

    /// A quarter stays for files, the health port and what libraries open.
    fn share(descriptors: u64) -> Self {
        let at_most = |share: u64, most: u64| usize::try_from(share.clamp(1, most)).unwrap_or(1);
        Self {
            connections: at_most(descriptors / 2, MAX_CONNECTIONS),
            sts_calls: at_most(descriptors / 4, MAX_STS_CALLS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_shared_out() {
        for (descriptors, connections, sts_calls) in [
            (0, 1, 1),
            (128, 64, 32),
            (1_024, 512, 256),
            (1_048_576, 4_096, 512),
            (u64::MAX, 4_096, 512),
        ] {
            let limits = Limits::share(descriptors);
            assert_eq!(
                (limits.connections, limits.sts_calls),
                (connections, sts_calls)
            );
        }
    }
}
