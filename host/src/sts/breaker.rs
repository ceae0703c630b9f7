//! A circuit breaker for one endpoint: it blocks calls to a failing endpoint until a probe succeeds.
//!
//! A failure counts against the endpoint if there was no connection, and otherwise against the credential whose token
//! was sent. Failures of one credential never open the breaker, because a caller may be able to make STS fail for its
//! tokens.
//!
//! The reasons are in [`crate::manual::circuit_breaker`].

use std::collections::HashSet;
use std::time::Duration;

use ack_ram_core::access_key::CredentialId;
use backon::BackoffBuilder as _;
use parking_lot::{Mutex, MutexGuard};
use prometheus::IntGauge;
use tokio::time::Instant;

use super::{Caller, CredentialStanding};
use crate::backoff::BackoffPolicy;
use crate::config::BreakerSettings;

/// Maximum pause between failures of one streak.
const MAX_STREAK_GAP: Duration = Duration::from_secs(60);

/// Minimum number of credentials whose failures request a probe, except after a long silence.
const MIN_CREDENTIALS: usize = 3;

/// After this time without a success and this many failures, a probe decides about the endpoint.
const SUSPICIOUS_SILENCE: Duration = Duration::from_secs(30);
const SUSPICIOUS_FAILURES: u32 = 5;
const SUSPICIOUS_CREDENTIALS: usize = 2;

/// Maximum number of counted pauses. The longest pause is reached before, with any settings.
const MAX_PAUSES: usize = 32;

/// Values of `sts_breaker_state`.
const CLOSED: i64 = 0;
const HALF_OPEN: i64 = 1;
const OPEN: i64 = 2;

/// Lets calls through while they succeed.
pub(super) struct Breaker {
    endpoint: Box<str>,
    settings: BreakerSettings,
    state_gauge: IntGauge,
    state: Mutex<BreakerState>,
}

/// What a failed call counts against.
#[derive(Clone, Copy, Debug)]
pub(super) enum FailureScope {
    /// There was no connection, or no TLS, so no part of a token was sent.
    Endpoint,
    /// The token of this caller was sent.
    Caller(Caller),
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum AfterFailure {
    /// Nothing has to be done.
    Nothing,
    /// Probe the endpoint at this time, and again after each pause until it recovers. The breaker is open, or the first
    /// probe decides whether to open it.
    Probe { at: Instant },
}

enum BreakerState {
    /// Calls go through.
    Closed(FailureStreak),
    /// No call goes through until a probe succeeds. The next probe is due at `until`, after `pauses` earlier pauses.
    Open { until: Instant, pauses: usize },
    /// A probe is in flight, and no call goes through.
    HalfOpen { pauses: usize },
}

/// Consecutive failures.
struct FailureStreak {
    /// Time of the last success, initially the start of the streak.
    last_success: Instant,
    last_failure: Option<Instant>,
    endpoint_failures: u32,
    caller_failures: u32,
    /// The credentials of failed calls, at most [`MIN_CREDENTIALS`].
    credentials: HashSet<CredentialId>,
    has_granted: bool,
    /// Whether a probe is deciding whether to open the breaker.
    is_suspected: bool,
}

impl Breaker {
    /// Builds a breaker for `endpoint` that reports its state to `state_gauge`.
    pub(super) fn new(endpoint: &str, settings: BreakerSettings, state_gauge: IntGauge) -> Self {
        state_gauge.set(CLOSED);
        Self {
            endpoint: endpoint.into(),
            settings,
            state_gauge,
            state: Mutex::new(BreakerState::Closed(FailureStreak::new())),
        }
    }

    /// Returns whether a call may go to the endpoint now. If not, the error is the time until the next probe.
    pub(super) fn admit(&self) -> Result<(), Duration> {
        match &*self.state() {
            BreakerState::Closed(_) => Ok(()),
            BreakerState::Open { until, .. } => {
                Err(until.saturating_duration_since(Instant::now()))
            }
            BreakerState::HalfOpen { .. } => Err(Duration::ZERO),
        }
    }

    /// Records that the endpoint answered a call, with any result.
    pub(super) fn note_success(&self) {
        // A call that started before the breaker opened does not show that the endpoint recovered.
        if let BreakerState::Closed(streak) = &mut *self.state() {
            let is_suspected = streak.is_suspected;
            *streak = FailureStreak::new();
            streak.is_suspected = is_suspected;
        }
    }

    /// Records a failed call.
    pub(super) fn note_failure(&self, scope: FailureScope) -> AfterFailure {
        let now = Instant::now();
        let mut state = self.state();
        let BreakerState::Closed(streak) = &mut *state else {
            return AfterFailure::Nothing;
        };
        if self.settings.failures == 0 {
            return AfterFailure::Nothing;
        }
        streak.record(scope, now);
        if streak.opens_breaker(self.settings.failures) {
            let at = self.open(&mut state, 0, now);
            AfterFailure::Probe { at }
        } else if streak.is_suspicious(self.settings.failures, now) {
            streak.is_suspected = true;
            AfterFailure::Probe { at: now }
        } else {
            AfterFailure::Nothing
        }
    }

    /// Records that a probe starts.
    pub(super) fn begin_probe(&self) {
        let mut state = self.state();
        if let BreakerState::Open { pauses, .. } = *state {
            *state = BreakerState::HalfOpen { pauses };
            self.state_gauge.set(HALF_OPEN);
        }
    }

    /// Records the result of a probe. Returns the time of the next probe, or `None` if the endpoint is alive.
    pub(super) fn end_probe(&self, is_alive: bool) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.state();
        let pauses = match &*state {
            BreakerState::Closed(streak) => {
                // If calls succeeded since the probe was requested, the streak was reset, and the probe decides
                // nothing.
                let has_recovered = streak.last_failure.is_none();
                if is_alive || has_recovered {
                    *state = BreakerState::Closed(FailureStreak::new());
                    return None;
                }
                0
            }
            BreakerState::Open { pauses, .. } | BreakerState::HalfOpen { pauses } => {
                if is_alive {
                    *state = BreakerState::Closed(FailureStreak::new());
                    self.state_gauge.set(CLOSED);
                    tracing::info!(endpoint = %self.endpoint, "circuit breaker closed: STS answers again");
                    return None;
                }
                (pauses + 1).min(MAX_PAUSES)
            }
        };
        Some(self.open(&mut state, pauses, now))
    }

    fn open(&self, state: &mut BreakerState, pauses: usize, now: Instant) -> Instant {
        let pause = pause_after(self.settings, pauses);
        let until = now + pause;
        *state = BreakerState::Open { until, pauses };
        self.state_gauge.set(OPEN);
        tracing::warn!(
            endpoint = %self.endpoint,
            "circuit breaker open after repeated STS failures; the next probe is in {} ms",
            pause.as_millis()
        );
        until
    }

    fn state(&self) -> MutexGuard<'_, BreakerState> {
        self.state.lock()
    }
}

impl FailureStreak {
    fn new() -> Self {
        Self {
            last_success: Instant::now(),
            last_failure: None,
            endpoint_failures: 0,
            caller_failures: 0,
            credentials: HashSet::new(),
            has_granted: false,
            is_suspected: false,
        }
    }

    fn record(&mut self, scope: FailureScope, now: Instant) {
        let is_too_old = |last| now.saturating_duration_since(last) > MAX_STREAK_GAP;
        if self.last_failure.is_some_and(is_too_old) {
            *self = Self {
                last_success: self.last_success,
                is_suspected: self.is_suspected,
                ..Self::new()
            };
        }
        self.last_failure = Some(now);
        match scope {
            FailureScope::Endpoint => {
                self.endpoint_failures = self.endpoint_failures.saturating_add(1)
            }
            FailureScope::Caller(caller) => {
                self.caller_failures = self.caller_failures.saturating_add(1);
                self.has_granted |= caller.standing == CredentialStanding::Granted;
                if self.credentials.len() < MIN_CREDENTIALS {
                    self.credentials.insert(caller.credential);
                }
            }
        }
    }

    /// Returns whether the streak opens the breaker, which needs this number of `failures` of the endpoint.
    fn opens_breaker(&self, failures: u32) -> bool {
        self.endpoint_failures >= failures
    }

    /// Returns whether the streak requests a probe, and none is deciding already. Failures of callers alone never open
    /// the breaker, because anyone who knows an access key ID can make tokens that claim it.
    fn is_suspicious(&self, failures: u32, now: Instant) -> bool {
        let all_failures = self.endpoint_failures.saturating_add(self.caller_failures);
        let has_many_credentials = self.has_granted && self.credentials.len() >= MIN_CREDENTIALS;
        let has_long_silence = all_failures >= SUSPICIOUS_FAILURES
            && self.credentials.len() >= SUSPICIOUS_CREDENTIALS
            && now.saturating_duration_since(self.last_success) >= SUSPICIOUS_SILENCE;
        !self.is_suspected
            && ((all_failures >= failures && has_many_credentials) || has_long_silence)
    }
}

/// Returns the pause before the next probe, after this number of earlier `pauses`.
fn pause_after(settings: BreakerSettings, pauses: usize) -> Duration {
    let max_pause = settings.max_pause;
    let mut series = BackoffPolicy::probe(settings).build();
    series.nth(pauses).unwrap_or(max_pause).min(max_pause)
}

#[cfg(test)]
mod tests;
