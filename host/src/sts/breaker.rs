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

use super::{Caller, Standing};
use crate::config::BreakerSettings;

/// Failures that lie further apart than this are no row.
const ROW_GAP: Duration = Duration::from_secs(60);

/// Failures of fewer credentials do not open the breaker by themselves.
const MIN_CREDENTIALS: usize = 3;

/// When no call has succeeded for so long, and so many have failed, the endpoint is suspected: a probe decides.
const NO_SUCCESS: Duration = Duration::from_secs(30);
const SUSPICIOUS_FAILURES: u32 = 5;
const SUSPICIOUS_CREDENTIALS: usize = 2;

/// After so many pauses the longest is reached, whatever the settings.
const MAX_PAUSES: usize = 32;

/// What `sts_breaker_state` shows.
const CLOSED: i64 = 0;
const HALF_OPEN: i64 = 1;
const OPEN: i64 = 2;

/// Lets calls through while they succeed.
pub(super) struct Breaker {
    endpoint: Box<str>,
    settings: BreakerSettings,
    shown: IntGauge,
    state: Mutex<State>,
}

/// What a failed call is to blame on.
#[derive(Clone, Copy, Debug)]
pub(super) enum Blame {
    /// No connection was made, or no TLS: nothing of a token was sent.
    Endpoint,
    /// The token of this caller was sent.
    Caller(Caller),
}

/// What has to be done after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum AfterFailure {
    /// Nothing.
    GoOn,
    /// Probe the endpoint at this time, until it is back: the first of these failures may be why it is open, and the first
    /// probe whether it has to be.
    Probe { at: Instant },
}

enum State {
    /// Calls go through.
    Closed(Row),
    /// No call goes through until a probe, which is due then. So many pauses came before this one.
    Open { until: Instant, pauses: usize },
    /// A probe is under way, and no call goes through.
    HalfOpen { pauses: usize },
}

/// Failures without a success in between.
struct Row {
    /// When a call succeeded last, or the row of calls began.
    last_success: Instant,
    last_failure: Option<Instant>,
    of_endpoint: u32,
    of_callers: u32,
    /// Those whose calls failed; no more than are asked for.
    credentials: HashSet<CredentialId>,
    has_granted: bool,
    /// A probe finds out whether to open.
    is_suspected: bool,
}

impl Breaker {
    /// Makes a breaker for `endpoint`, whose state `shown` shows.
    pub(super) fn new(endpoint: &str, settings: BreakerSettings, shown: IntGauge) -> Self {
        shown.set(CLOSED);
        Self {
            endpoint: endpoint.into(),
            settings,
            shown,
            state: Mutex::new(State::Closed(Row::new())),
        }
    }

    /// Returns whether a call may go to the endpoint now; if not, after how long the next probe is.
    pub(super) fn admit(&self) -> Result<(), Duration> {
        match &*self.state() {
            State::Closed(_) => Ok(()),
            State::Open { until, .. } => Err(until.saturating_duration_since(Instant::now())),
            State::HalfOpen { .. } => Err(Duration::ZERO),
        }
    }

    /// Notes that the endpoint answered a call, whatever it said.
    pub(super) fn note_success(&self) {
        // A call that began before the breaker opened says nothing of now.
        if let State::Closed(row) = &mut *self.state() {
            let is_suspected = row.is_suspected;
            *row = Row::new();
            row.is_suspected = is_suspected;
        }
    }

    /// Notes a call that failed.
    pub(super) fn note_failure(&self, blame: Blame) -> AfterFailure {
        let now = Instant::now();
        let mut state = self.state();
        let State::Closed(row) = &mut *state else {
            return AfterFailure::GoOn;
        };
        if self.settings.failures == 0 {
            return AfterFailure::GoOn;
        }
        row.add(blame, now);
        if row.opens(self.settings.failures) {
            let at = self.open(&mut state, 0, now);
            AfterFailure::Probe { at }
        } else if row.is_suspicious(self.settings.failures, now) {
            row.is_suspected = true;
            AfterFailure::Probe { at: now }
        } else {
            AfterFailure::GoOn
        }
    }

    /// Notes that a probe begins.
    pub(super) fn begin_probe(&self) {
        let mut state = self.state();
        if let State::Open { pauses, .. } = *state {
            *state = State::HalfOpen { pauses };
            self.shown.set(HALF_OPEN);
        }
    }

    /// Notes what came of a probe. Returns when the next one is due; `None` when the endpoint is alive.
    pub(super) fn end_probe(&self, is_alive: bool) -> Option<Instant> {
        let now = Instant::now();
        let mut state = self.state();
        let pauses = match &*state {
            State::Closed(row) => {
                // The row may have begun anew since: then calls succeed, and there is nothing to find out.
                let has_recovered = row.last_failure.is_none();
                if is_alive || has_recovered {
                    *state = State::Closed(Row::new());
                    return None;
                }
                0
            }
            State::Open { pauses, .. } | State::HalfOpen { pauses } => {
                if is_alive {
                    *state = State::Closed(Row::new());
                    self.shown.set(CLOSED);
                    tracing::info!(endpoint = %self.endpoint, "STS answers again");
                    return None;
                }
                (pauses + 1).min(MAX_PAUSES)
            }
        };
        Some(self.open(&mut state, pauses, now))
    }

    fn open(&self, state: &mut State, pauses: usize, now: Instant) -> Instant {
        let pause = pause_after(self.settings, pauses);
        let until = now + pause;
        *state = State::Open { until, pauses };
        self.shown.set(OPEN);
        tracing::warn!(
            endpoint = %self.endpoint,
            "STS fails again and again: no call goes there for {} ms",
            pause.as_millis()
        );
        until
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Row {
    fn new() -> Self {
        Self {
            last_success: Instant::now(),
            last_failure: None,
            of_endpoint: 0,
            of_callers: 0,
            credentials: HashSet::new(),
            has_granted: false,
            is_suspected: false,
        }
    }

    fn add(&mut self, blame: Blame, now: Instant) {
        let is_apart = |last| now.saturating_duration_since(last) > ROW_GAP;
        if self.last_failure.is_some_and(is_apart) {
            *self = Self {
                last_success: self.last_success,
                is_suspected: self.is_suspected,
                ..Self::new()
            };
        }
        self.last_failure = Some(now);
        match blame {
            Blame::Endpoint => self.of_endpoint = self.of_endpoint.saturating_add(1),
            Blame::Caller(caller) => {
                self.of_callers = self.of_callers.saturating_add(1);
                self.has_granted |= caller.standing == Standing::Granted;
                if self.credentials.len() < MIN_CREDENTIALS {
                    self.credentials.insert(caller.credential);
                }
            }
        }
    }

    /// Returns whether these failures open the breaker, where so many have to follow each other.
    fn opens(&self, failures: u32) -> bool {
        self.of_endpoint >= failures
    }

    /// Returns whether a probe has to find out if the endpoint is down, and none does already. Failures of callers alone
    /// never open the breaker: whoever knows an access key id can make tokens that claim it.
    fn is_suspicious(&self, failures: u32, now: Instant) -> bool {
        let of_all = self.of_endpoint.saturating_add(self.of_callers);
        let is_of_many = self.has_granted && self.credentials.len() >= MIN_CREDENTIALS;
        let is_dead_for_long = of_all >= SUSPICIOUS_FAILURES
            && self.credentials.len() >= SUSPICIOUS_CREDENTIALS
            && now.saturating_duration_since(self.last_success) >= NO_SUCCESS;
        !self.is_suspected && ((of_all >= failures && is_of_many) || is_dead_for_long)
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
