//! Limits that follow from the file descriptors of the process.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Limits that follow from the file descriptors of this process.
pub(super) struct DescriptorLimits {
    pub(super) connections: usize,
    pub(super) sts_calls: usize,
}

impl DescriptorLimits {
    /// Raises the descriptor limit to its maximum, as Go does for every program, and divides the descriptors.
    pub(super) fn for_this_process() -> Self {
        let descriptors = match getrlimit(Resource::RLIMIT_NOFILE) {
            Ok((soft, hard)) => match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
                Ok(()) => hard,
                Err(_) => soft,
            },
            Err(_) => 1_024,
        };
        Self::share(descriptors)
    }

    /// Divides the descriptors. A quarter remains for files, the health port and libraries.
    fn share(descriptors: u64) -> Self {
        let share = |share: u64| usize::try_from(share.max(1)).unwrap_or(usize::MAX);
        Self {
            connections: share(descriptors / 2),
            sts_calls: share(descriptors / 4),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_divided() {
        for (descriptors, connections, sts_calls) in [
            (0, 1, 1),
            (128, 64, 32),
            (1_024, 512, 256),
            (1_048_576, 524_288, 262_144),
        ] {
            let limits = DescriptorLimits::share(descriptors);
            assert_eq!(
                (limits.connections, limits.sts_calls),
                (connections, sts_calls)
            );
        }
    }
}
