//! How much the server does at once.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// What the file descriptors of this process are enough for.
pub(super) struct Limits {
    pub(super) connections: usize,
    pub(super) sts_calls: usize,
}

impl Limits {
    /// Asks the system for as many descriptors as it gives, as Go does for every program, and shares them out: no more
    /// connections and calls than `asked`.
    pub(super) fn of_this_process(asked: &Self) -> Self {
        let descriptors = match getrlimit(Resource::RLIMIT_NOFILE) {
            Ok((soft, hard)) => match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
                Ok(()) => hard,
                Err(_) => soft,
            },
            Err(_) => 1_024,
        };
        Self::share(descriptors, asked)
    }

    /// A quarter stays for files, the health port and what libraries open.
    fn share(descriptors: u64, asked: &Self) -> Self {
        let at_most = |share: u64, most: usize| {
            let share = usize::try_from(share).unwrap_or(usize::MAX);
            share.clamp(1, most.max(1))
        };
        Self {
            connections: at_most(descriptors / 2, asked.connections),
            sts_calls: at_most(descriptors / 4, asked.sts_calls),
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
            let asked = Limits {
                connections: 4_096,
                sts_calls: 512,
            };
            let limits = Limits::share(descriptors, &asked);
            assert_eq!(
                (limits.connections, limits.sts_calls),
                (connections, sts_calls)
            );
        }
    }
}
