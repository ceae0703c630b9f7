//! Limits on calls to STS, on their time, and on the caches.

use std::time::Duration;

use crate::bounds::{DurationLimit, SectionReader};
use crate::diagnostic::Part;
use crate::layers::Layers;

const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// The API server gives up on a webhook after 30 seconds.
const REQUEST_TIMEOUT: DurationLimit = DurationLimit::new(Duration::from_secs(30));
/// STS does not accept a token for longer than this.
const TOKEN_LIFETIME: DurationLimit = DurationLimit::new(Duration::from_secs(15 * 60));
/// A longer pause would block logins for too long after STS recovers.
const BREAKER_PAUSE: DurationLimit = DurationLimit::new(Duration::from_secs(5 * 60));

/// Half of these calls are for callers without an earlier granted login. With fewer calls, new callers among them would
/// get too little capacity during a flood of two thousand concurrent tokens.
const DEFAULT_MAX_CALLS: usize = 1_024;
/// STS would throttle a higher number of concurrent calls.
const MAX_CALLS: usize = 4_096;
/// A waiting call takes no more memory than its token.
const DEFAULT_MAX_WAITING: usize = 4_096;

/// Limits on calls to STS, on their time, and on the caches.
#[derive(Clone, Debug)]
pub struct StsLimits {
    /// Time to connect, including TLS.
    pub connect_timeout: Duration,
    /// Time for a call, from the wait in the queue to the last byte of the reply.
    pub timeout: Duration,
    /// Maximum length of a reply, in bytes.
    pub max_answer_bytes: usize,
    /// Maximum number of concurrent calls.
    pub max_calls: usize,
    /// Maximum number of waiting calls.
    pub max_waiting: usize,
    /// Maximum number of logins that wait for an in-flight call for an equal token.
    pub max_sharing: usize,
    /// The memory-related limits that the configuration sets. The server lowers the others if memory is scarce.
    pub explicit: ExplicitStsLimits,
    /// Circuit breaker of each endpoint.
    pub breaker: BreakerSettings,
    /// Cache of identities.
    pub identities: CacheSettings,
    /// Cache of refusals.
    pub refusals: CacheSettings,
}

/// The memory-related limits that the configuration sets explicitly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExplicitStsLimits {
    /// Whether `server.sts.maxCalls` is set.
    pub calls: bool,
    /// Whether `server.sts.maxWaiting` is set.
    pub waiting: bool,
    /// Whether `server.sts.maxSharing` is set.
    pub sharing: bool,
}

/// Settings of the circuit breaker.
#[derive(Clone, Copy, Debug)]
pub struct BreakerSettings {
    /// Number of consecutive failures that opens the circuit breaker; 0 to never open it.
    pub failures: u32,
    /// Shortest time that the circuit breaker stays open.
    pub pause: Duration,
    /// Longest time that the circuit breaker stays open.
    pub max_pause: Duration,
}

/// Size and lifetime of a cache.
#[derive(Clone, Copy, Debug)]
pub struct CacheSettings {
    /// Maximum number of entries; 0 disables the cache.
    pub size: usize,
    /// Maximum lifetime of an entry.
    pub ttl: Duration,
}

/// Reads the limits in `server.sts` and records each error.
pub(super) fn read_sts_limits(layers: &mut Layers<'_>) -> Part<StsLimits> {
    let mut section = SectionReader::new(&mut layers.sts, &mut layers.diagnostics);
    let connect_timeout = section.duration("connectTimeout", REQUEST_TIMEOUT);
    let timeout = section.duration("timeout", REQUEST_TIMEOUT);
    let max_calls = section.number("maxCalls", 1, MAX_CALLS);
    let max_waiting = section.number("maxWaiting", 0, 65_536);
    let max_sharing = section.number("maxSharing", 1, 65_536);
    let max_answer_bytes = section.number("maxAnswerBytes", 1_024, 1 << 20);
    let breaker = read_breaker(&mut section);
    let identities = CacheSettings {
        size: section.number("cacheSize", 0, 1_000_000).unwrap_or(10_000),
        ttl: section
            .duration("cacheTTL", TOKEN_LIFETIME)
            .unwrap_or(Duration::from_secs(2 * 60)),
    };
    let refusals = CacheSettings {
        size: section
            .number("refusalCacheSize", 0, 1_000_000)
            .unwrap_or(1_000),
        ttl: section
            .duration("refusalCacheTTL", TOKEN_LIFETIME)
            .unwrap_or(Duration::from_secs(10)),
    };
    section.finish(StsLimits {
        connect_timeout: connect_timeout.unwrap_or(DEFAULT_CONNECT_TIMEOUT),
        timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
        // A reply from STS is smaller than a kilobyte.
        max_answer_bytes: max_answer_bytes.unwrap_or(64 * 1024),
        max_calls: max_calls.unwrap_or(DEFAULT_MAX_CALLS),
        max_waiting: max_waiting.unwrap_or(DEFAULT_MAX_WAITING),
        max_sharing: max_sharing.unwrap_or(4_096),
        explicit: ExplicitStsLimits {
            calls: max_calls.is_some(),
            waiting: max_waiting.is_some(),
            sharing: max_sharing.is_some(),
        },
        breaker,
        identities,
        refusals,
    })
}

fn read_breaker(section: &mut SectionReader<'_>) -> BreakerSettings {
    let failures = section.number("breakerFailures", 0, 1_000).unwrap_or(5);
    let pause = section.duration("breakerPause", BREAKER_PAUSE);
    let pause = pause.unwrap_or(Duration::from_secs(5));
    let max_pause = section.duration("breakerMaxPause", BREAKER_PAUSE);
    let max_pause = max_pause.unwrap_or(Duration::from_secs(30));
    BreakerSettings {
        failures: u32::try_from(failures).unwrap_or(u32::MAX),
        pause,
        max_pause: max_pause.max(pause),
    }
}
