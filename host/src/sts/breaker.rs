//! A circuit breaker for one endpoint: calls stay away from an endpoint that fails, until a probe finds it back.
//!
//! A failure belongs to the endpoint, where no connection was made, or to the credential whose token was sent. Failures
//! of one credential never open the breaker: a caller may be able to make STS fail for its own tokens.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ack_ram_core::access_key::CredentialId;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use prometheus::IntGauge;
use tokio::time::Instant;

use super::{Caller, CredentialStanding};
use crate::config::BreakerSettings;

/// A longer gap between failures starts a new streak.
const MAX_STREAK_GAP: Duration = Duration::from_secs(60);

/// Failures of fewer credentials do not open the breaker by themselves.
const MIN_CREDENTIALS: usize = 3;

/// After this time without a success, and this many failures, a probe decides about the endpoint.
const SUSPICIOUS_SILENCE: Duration = Duration::from_secs(30);
const SUSPICIOUS_FAILURES: u32 = 5;
const SUSPICIOUS_CREDENTIALS: usize = 2;

/// After so many pauses the longest is reached, whatever the settings.
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
    /// No connection was made, or no TLS: nothing of a token was sent.
    Endpoint,
    /// The token of this caller was sent.
    Caller(Caller),
}

/// What to do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum AfterFailure {
    /// Nothing is to be done.
    Nothing,
    /// Probe the endpoint at this time, until it is back: the first of these failures may be why it is open, and the first
    /// probe whether it has to be.
    Probe { at: Instant },
}

enum BreakerState {
    /// Calls go through.
    Closed(FailureStreak),
    /// No call goes through until a probe, which is due then. So many pauses came before this one.
    Open { until: Instant, pauses: usize },
    /// A probe is under way, and no call goes through.
    HalfOpen { pauses: usize },
}

/// Consecutive failures.
struct FailureStreak {
    /// When a call last succeeded, or when the streak began.
    last_success: Instant,
    last_failure: Option<Instant>,
    endpoint_failures: u32,
    caller_failures: u32,
    /// The credentials of failed calls, at most [`MIN_CREDENTIALS`].
    credentials: HashSet<CredentialId>,
    has_granted: bool,
    /// A probe finds out whether to open.
    is_suspected: bool,
}

impl Breaker {
    /// Builds a breaker for `endpoint` that shows its state in `state_gauge`.
    pub(super) fn new(endpoint: &str, settings: BreakerSettings, state_gauge: IntGauge) -> Self {
        state_gauge.set(CLOSED);
        Self {
            endpoint: endpoint.into(),
            settings,
            state_gauge,
            state: Mutex::new(BreakerState::Closed(FailureStreak::new())),
        }
    }

    /// Returns whether a call may go to the endpoint now; if not, after how long the next probe is.
    pub(super) fn admit(&self) -> Result<(), Duration> {
        match &*self.state() {
            BreakerState::Closed(_) => Ok(()),
            BreakerState::Open { until, .. } => {
                Err(until.saturating_duration_since(Instant::now()))
            }
            BreakerState::HalfOpen { .. } => Err(Duration::ZERO),
        }
    }

    /// Notes that the endpoint answered a call, whatever it said.
    pub(super) fn note_success(&self) {
        // A call that began before the breaker opened says nothing of now.
        if let BreakerState::Closed(streak) = &mut *self.state() {
            let is_suspected = streak.is_suspected;
            *streak = FailureStreak::new();
            streak.is_suspected = is_suspected;
        }
    }

    /// Notes a call that failed.
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

    /// Notes that a probe begins.
    pub(super) fn begin_probe(&self) {
        let mut state = self.state();
        if let BreakerState::Open { pauses, .. } = *state {
            *state = BreakerState::HalfOpen { pauses };
            self.state_gauge.set(HALF_OPEN);
        }
    }

    /// Notes what came of a probe. Returns when the next one is due; `None` when the endpoint is alive.
    pub(super) fn end_probe(&self, is_alive: bool) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.state();
        let pauses = match &*state {
            BreakerState::Closed(streak) => {
                // The streak may have been reset since: then calls succeed, and the probe decides nothing.
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
                    tracing::info!(endpoint = %self.endpoint, "STS answers again");
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
            "STS fails again and again: no call goes there for {} ms",
            pause.as_millis()
        );
        until
    }

    fn state(&self) -> MutexGuard<'_, BreakerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Returns whether these failures open the breaker, where so many have to follow each other.
    fn opens_breaker(&self, failures: u32) -> bool {
        self.endpoint_failures >= failures
    }

    /// Returns whether a probe has to find out if the endpoint is down, and none does already. Failures of callers alone
    /// never open the breaker: whoever knows an access key id can make tokens that claim it.
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

/// Each pause is twice as long as the one before. At most as much again comes on top, lest many servers come back at
/// once.
fn pause_after(settings: BreakerSettings, pauses: usize) -> Duration {
    let BreakerSettings {
        pause, max_pause, ..
    } = settings;
    ExponentialBuilder::default()
        .with_factor(2.0)
        .with_min_delay(pause)
        .with_max_delay(pause.max(max_pause / 2))
        .with_jitter()
        .without_max_times()
        .build()
        .nth(pauses)
        .unwrap_or(max_pause)
        .min(max_pause)
}

#[cfg(test)]
mod tests;
