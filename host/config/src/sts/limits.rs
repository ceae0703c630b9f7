//! How much is asked of STS, how long, and what is remembered.

use std::time::Duration;

use crate::bounds::{DurationLimit, SectionReader};
use crate::diagnostic::Part;
use crate::layers::Layers;

const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// The API server gives up on a webhook after 30 seconds.
const REQUEST_TIMEOUT: DurationLimit = DurationLimit::new(Duration::from_secs(30));
/// STS takes no token for longer.
const TOKEN_LIFETIME: DurationLimit = DurationLimit::new(Duration::from_secs(15 * 60));
/// Longer pauses would keep people out who could come in.
const BREAKER_PAUSE: DurationLimit = DurationLimit::new(Duration::from_secs(5 * 60));

/// Half of these are for callers that were granted no login before. Fewer would leave the newcomers among them too little
/// while two thousand tokens at a time flood the server.
const DEFAULT_MAX_CALLS: usize = 1_024;
/// More calls to STS at once would only be throttled there.
const MAX_CALLS: usize = 4_096;
/// A place to wait takes no more memory than a token.
const DEFAULT_MAX_WAITING: usize = 4_096;

/// How much is asked of STS, how long, and what is remembered.
#[derive(Clone, Debug)]
pub struct StsLimits {
    /// How long a connection may take, TLS included.
    pub connect_timeout: Duration,
    /// How long a call may take, from waiting for its place to the last byte of the answer.
    pub timeout: Duration,
    /// The longest answer, in bytes.
    pub max_answer_bytes: usize,
    /// How many calls are made at once.
    pub max_calls: usize,
    /// How many more wait.
    pub max_waiting: usize,
    /// How many logins wait for a call that is under way for an equal token.
    pub max_sharing: usize,
    /// Which of the limits on memory somebody has set. The others are lowered where there is little memory.
    pub explicit: ExplicitStsLimits,
    /// When an endpoint is left alone.
    pub breaker: BreakerSettings,
    /// Identities that are remembered.
    pub identities: CacheSettings,
    /// Refusals that are remembered.
    pub refusals: CacheSettings,
}

/// Which of the limits on memory the configuration sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExplicitStsLimits {
    /// `server.sts.maxCalls`.
    pub calls: bool,
    /// `server.sts.maxWaiting`.
    pub waiting: bool,
    /// `server.sts.maxSharing`.
    pub sharing: bool,
}

/// When an endpoint is left alone, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct BreakerSettings {
    /// After so many failures in a row; 0 is never.
    pub failures: u32,
    /// The shortest pause.
    pub pause: Duration,
    /// The longest pause.
    pub max_pause: Duration,
}

/// How many entries a cache holds, and how long.
#[derive(Clone, Copy, Debug)]
pub struct CacheSettings {
    /// The most entries; 0 is none at all.
    pub size: usize,
    /// How long each is good at most.
    pub ttl: Duration,
}

/// Reads the limits of `server.sts`, and records each error.
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
        // An answer is below a kilobyte.
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
