//! A breaker for one endpoint: what fails again and again is left alone for a while.
//!
//! Only what the endpoint is to blame for counts, so that no caller can keep others from it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use prometheus::IntGauge;
use tokio::time::Instant;

use crate::config::BreakerSettings;

/// Failures that lie further apart than this are no row.
const ROW_GAP: Duration = Duration::from_secs(60);

/// After so many pauses the longest is reached, whatever the settings.
const MAX_PAUSES: usize = 32;

/// What `sts_breaker_state` shows.
const CLOSED: i64 = 0;
const PROBING: i64 = 1;
const OPEN: i64 = 2;

/// Lets calls through while they succeed.
pub(super) struct Breaker {
    endpoint: Box<str>,
    settings: BreakerSettings,
    shown: IntGauge,
    state: Mutex<State>,
}

#[derive(Clone, Copy)]
enum State {
    /// Calls go through. So many failed in a row, the last one then.
    Closed { failures: u32, last: Instant },
    /// No call goes through until then. So many pauses came before this one.
    Open { until: Instant, pauses: usize },
    /// One call finds out whether the endpoint is back; the others do not go through.
    Probing { pauses: usize },
}

impl Breaker {
    /// A breaker for `endpoint`, whose state `shown` shows.
    pub(super) fn new(endpoint: &str, settings: BreakerSettings, shown: IntGauge) -> Self {
        shown.set(CLOSED);
        Self {
            endpoint: endpoint.into(),
            settings,
            shown,
            state: Mutex::new(State::closed()),
        }
    }

    /// Whether a call may go to the endpoint now; if not, after how long to ask again.
    pub(super) fn enter(&self) -> Result<Permit<'_>, Duration> {
        let mut state = self.state();
        let is_probe = match *state {
            State::Closed { .. } => false,
            State::Open { until, pauses } => {
                let left = until.saturating_duration_since(Instant::now());
                if !left.is_zero() {
                    return Err(left);
                }
                *state = State::Probing { pauses };
                self.shown.set(PROBING);
                true
            }
            State::Probing { .. } => return Err(Duration::ZERO),
        };
        Ok(Permit {
            breaker: self,
            is_probe,
            is_over: false,
        })
    }

    fn succeeded(&self, is_probe: bool) {
        let mut state = self.state();
        match *state {
            State::Closed { .. } => *state = State::closed(),
            // A call that began before the endpoint was given up says nothing of now.
            State::Probing { .. } | State::Open { .. } if !is_probe => {}
            State::Probing { .. } | State::Open { .. } => {
                *state = State::closed();
                self.shown.set(CLOSED);
                tracing::info!(endpoint = %self.endpoint, "STS answers again");
            }
        }
    }

    fn failed(&self, is_probe: bool) {
        let now = Instant::now();
        let mut state = self.state();
        let pauses = match *state {
            State::Closed { failures, last } => {
                let in_a_row = now.saturating_duration_since(last) <= ROW_GAP;
                let failures = if in_a_row { failures + 1 } else { 1 };
                if self.settings.failures == 0 || failures < self.settings.failures {
                    *state = State::Closed {
                        failures,
                        last: now,
                    };
                    return;
                }
                0
            }
            State::Probing { pauses } if is_probe => (pauses + 1).min(MAX_PAUSES),
            State::Probing { .. } | State::Open { .. } => return,
        };
        let pause = pause_after(self.settings, pauses);
        *state = State::Open {
            until: now + pause,
            pauses,
        };
        self.shown.set(OPEN);
        tracing::warn!(
            endpoint = %self.endpoint,
            "STS fails again and again: no call goes there for {} ms",
            pause.as_millis()
        );
    }

    /// The probe came to nothing: the next call is one.
    fn abandoned(&self) {
        let mut state = self.state();
        if let State::Probing { pauses } = *state {
            *state = State::Open {
                until: Instant::now(),
                pauses,
            };
            self.shown.set(OPEN);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn closed() -> Self {
        Self::Closed {
            failures: 0,
            last: Instant::now(),
        }
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

/// One call to the endpoint. Dropped, it tells nothing of the endpoint.
#[must_use]
pub(super) struct Permit<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
    is_over: bool,
}

impl Permit<'_> {
    /// The endpoint works: it answered, whatever it said.
    pub(super) fn succeeded(mut self) {
        self.is_over = true;
        self.breaker.succeeded(self.is_probe);
    }

    /// The endpoint failed: no connection, no TLS, no answer in time, or a status of 500 and more.
    pub(super) fn failed(mut self) {
        self.is_over = true;
        self.breaker.failed(self.is_probe);
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.is_probe && !self.is_over {
            self.breaker.abandoned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: BreakerSettings = BreakerSettings {
        failures: 3,
        pause: Duration::from_secs(5),
        max_pause: Duration::from_secs(30),
    };

    fn breaker() -> Breaker {
        let shown = IntGauge::new("state", "state").unwrap();
        Breaker::new("sts.example", SETTINGS, shown)
    }

    fn fail(breaker: &Breaker, times: usize) {
        for _ in 0..times {
            breaker.enter().ok().unwrap().failed();
        }
    }

    /// Waits as long as a refusal says.
    async fn wait(breaker: &Breaker) -> Duration {
        let wait = breaker.enter().err().unwrap();
        tokio::time::sleep(wait + Duration::from_millis(1)).await;
        wait
    }

    #[tokio::test(start_paused = true)]
    async fn only_failures_in_a_row_open_it() {
        let breaker = breaker();
        fail(&breaker, 2);
        breaker.enter().ok().unwrap().succeeded();
        fail(&breaker, 2);
        tokio::time::sleep(ROW_GAP + Duration::from_secs(1)).await;
        fail(&breaker, 2);
        drop(breaker.enter().ok().unwrap());
        assert_eq!(breaker.shown.get(), CLOSED);
        fail(&breaker, 1);
        assert_eq!(breaker.shown.get(), OPEN);
        assert!(breaker.enter().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_at_a_time_goes_through_and_pauses_grow_until_one_succeeds() {
        let breaker = breaker();
        fail(&breaker, 3);
        for at_least in [5, 10, 15, 15] {
            let waited = wait(&breaker).await;
            let least = Duration::from_secs(at_least) - Duration::from_millis(1);
            let most = 2 * Duration::from_secs(at_least);
            assert!(least <= waited && waited <= most, "{waited:?}");
            let probe = breaker.enter().ok().unwrap();
            assert_eq!(breaker.shown.get(), PROBING);
            assert_eq!(breaker.enter().err(), Some(Duration::ZERO));
            probe.failed();
        }
        wait(&breaker).await;
        breaker.enter().ok().unwrap().succeeded();
        assert_eq!(breaker.shown.get(), CLOSED);
        fail(&breaker, 2);
        assert!(breaker.enter().is_ok(), "it counts from zero again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_came_to_nothing_makes_way_for_the_next() {
        let breaker = breaker();
        fail(&breaker, 3);
        wait(&breaker).await;
        drop(breaker.enter().ok().unwrap());
        let probe = breaker.enter().ok().unwrap();
        assert!(breaker.enter().is_err());
        probe.succeeded();
        assert!(breaker.enter().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn calls_from_before_neither_close_it_nor_count_for_the_probe() {
        let breaker = breaker();
        let (early, late) = (breaker.enter().ok().unwrap(), breaker.enter().ok().unwrap());
        fail(&breaker, 3);
        early.succeeded();
        assert!(breaker.enter().is_err());
        wait(&breaker).await;
        let probe = breaker.enter().ok().unwrap();
        late.failed();
        assert_eq!(breaker.shown.get(), PROBING);
        probe.succeeded();
        assert_eq!(breaker.shown.get(), CLOSED);
    }

    #[tokio::test]
    async fn no_limit_is_no_breaker() {
        let settings = BreakerSettings {
            failures: 0,
            ..SETTINGS
        };
        let shown = IntGauge::new("state", "state").unwrap();
        let breaker = Breaker::new("sts.example", settings, shown);
        fail(&breaker, 100);
        assert!(breaker.enter().is_ok());
    }
}
