//! Pauses between retries, with one named policy for each operation.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};

use crate::config::BreakerSettings;

/// The pauses between retries of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BackoffPolicy {
    first: Duration,
    longest: Duration,
    growth: Growth,
    jitter: Jitter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Growth {
    /// Each pause is twice as long as the previous one, up to the longest.
    Double,
    /// All pauses are equal.
    Constant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Jitter {
    /// Up to the same pause is added at random, so that many servers do not retry at the same time.
    UpToDouble,
    None,
}

impl BackoffPolicy {
    /// For building the client of the API server, whose kubeconfig may appear after the server starts.
    pub(crate) const BUILD_CLIENT: Self = Self {
        jitter: Jitter::None,
        ..Self::INSTALL_CRD
    };

    /// For installing the CustomResourceDefinition.
    pub(crate) const INSTALL_CRD: Self =
        Self::doubling(Duration::from_millis(500), Duration::from_secs(30));

    /// For resuming a watch that ended.
    pub(crate) const WATCH: Self =
        Self::doubling(Duration::from_millis(100), Duration::from_millis(2_500));

    /// For continuing to write statuses after a failed write.
    pub(crate) const WRITE_STATUS: Self =
        Self::doubling(Duration::from_millis(100), Duration::from_secs(10));

    /// For checking whether the Lease is free, and for retrying to renew it.
    pub(crate) const ACQUIRE_LEASE: Self = Self::constant(Duration::from_secs(2));

    /// For retrying to acquire the Lease after the API server refused it.
    pub(crate) const REFUSED_LEASE: Self = Self::constant(Duration::from_secs(10));

    /// Returns the policy for probes of an STS endpoint whose circuit breaker is open, by `settings`.
    pub(crate) fn probe(settings: BreakerSettings) -> Self {
        let BreakerSettings {
            pause, max_pause, ..
        } = settings;
        Self::doubling(pause, pause.max(max_pause / 2))
    }

    const fn doubling(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            growth: Growth::Double,
            jitter: Jitter::UpToDouble,
        }
    }

    const fn constant(pause: Duration) -> Self {
        Self {
            first: pause,
            longest: pause,
            growth: Growth::Constant,
            jitter: Jitter::UpToDouble,
        }
    }

    /// Starts a series of pauses.
    pub(crate) fn start(self) -> Backoff {
        Backoff {
            policy: self,
            pauses: self.build(),
        }
    }
}

impl BackoffBuilder for BackoffPolicy {
    type Backoff = ExponentialBackoff;

    fn build(self) -> ExponentialBackoff {
        let builder = ExponentialBuilder::default()
            .with_factor(match self.growth {
                Growth::Double => 2.0,
                Growth::Constant => 1.0,
            })
            .with_min_delay(self.first)
            .with_max_delay(self.longest)
            .without_max_times();
        let builder = match self.jitter {
            Jitter::UpToDouble => builder.with_jitter(),
            Jitter::None => builder,
        };
        builder.build()
    }
}

/// An endless series of pauses.
#[derive(Debug)]
pub(crate) struct Backoff {
    policy: BackoffPolicy,
    pauses: ExponentialBackoff,
}

impl Backoff {
    /// Returns the pause before the next retry.
    pub(crate) fn next_pause(&mut self) -> Duration {
        self.pauses.next().unwrap_or(self.policy.longest)
    }

    /// Restarts the series, after a success.
    pub(crate) fn reset(&mut self) {
        self.pauses = self.policy.build();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the first `count` pauses of `policy` without jitter, in milliseconds.
    fn pauses(policy: BackoffPolicy, count: usize) -> Vec<u128> {
        let mut backoff = BackoffPolicy {
            jitter: Jitter::None,
            ..policy
        }
        .start();
        (0..count)
            .map(|_| backoff.next_pause().as_millis())
            .collect()
    }

    #[test]
    fn each_policy_has_its_pauses() {
        for (policy, expected) in [
            (
                BackoffPolicy::BUILD_CLIENT,
                [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000],
            ),
            (
                BackoffPolicy::INSTALL_CRD,
                [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000],
            ),
            (
                BackoffPolicy::WATCH,
                [100, 200, 400, 800, 1600, 2500, 2500, 2500],
            ),
            (
                BackoffPolicy::WRITE_STATUS,
                [100, 200, 400, 800, 1600, 3200, 6400, 10_000],
            ),
            (BackoffPolicy::ACQUIRE_LEASE, [2000; 8]),
            (BackoffPolicy::REFUSED_LEASE, [10_000; 8]),
        ] {
            assert_eq!(pauses(policy, 8), expected, "{policy:?}");
        }
    }

    #[test]
    fn jitter_adds_at_most_the_pause_itself() {
        let mut backoff = BackoffPolicy::ACQUIRE_LEASE.start();
        let pauses: Vec<Duration> = (0..100).map(|_| backoff.next_pause()).collect();
        let (least, most) = (Duration::from_secs(2), Duration::from_secs(4));
        assert!(pauses.iter().all(|pause| (least..=most).contains(pause)));
        assert!(pauses.iter().any(|pause| *pause != least));
    }

    #[test]
    fn reset_starts_with_the_first_pause() {
        let mut backoff = BackoffPolicy::BUILD_CLIENT.start();
        backoff.next_pause();
        backoff.next_pause();
        backoff.reset();
        assert_eq!(backoff.next_pause(), Duration::from_millis(500));
    }
}
