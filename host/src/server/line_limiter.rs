//! Limits the lines in the log and in the audit file that anyone can cause at no cost.
//!
//! A denial that needs no call to STS costs its sender nothing, but its line takes disk space. Up to a rate, each such
//! denial has its own line. The rest of a second has one line for each reason, with the number of denials and the
//! reference of the first one. No denial is lost: the summary is written with the next line in a later second, by a
//! timer, or at shutdown. The metrics count each decision.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ack_ram_core::decision::{Outcome, Unavailable};
use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::sts::StsUnavailable;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::audit::Audit;
use crate::authenticator::{DecisionRecord, IdentitySource};

/// Maximum number of lines in a second for one reason.
const LINES_PER_REASON: u64 = 100;
/// Number of lines in a second for all reasons together, after which each reason has only [`FEW_LINES`].
const LINES: u64 = 200;
/// Number of lines in a second that each reason has in any case.
const FEW_LINES: u64 = 10;

/// The reason of a line, without its subject. There are few reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineReason {
    /// A token was denied, with this [code](ack_ram_core::decision::Decision::code).
    Denied(&'static str),
    /// No decision was possible, with this code.
    Unable(&'static str),
    /// A request was rejected with this HTTP status.
    Rejected(u16),
    /// A request of a proxy was refused, although the login of its user was granted.
    TurnedAway,
    /// A connection was closed because its client sent too much that starts no request.
    Flood,
}

impl LineReason {
    /// Returns the reason of a decision that anyone can cause at no cost, or `None` if the decision always has its own
    /// line: a grant, or a decision after a call to STS.
    fn for_free_decision(decided: &DecisionRecord) -> Option<Self> {
        let code = decided.decision.code();
        // One call serves thousands of equal tokens at the same time. Only the login that made the call is not free.
        let made_a_call = decided.source == Some(IdentitySource::Sts);
        match decided.decision.outcome() {
            Outcome::Granted(_) | Outcome::UnrecognizedToken => None,
            Outcome::Denied(_) => (!made_a_call).then_some(Self::Denied(code)),
            // STS was not called, or might not have been because the circuit breaker is open.
            Outcome::Unavailable(
                Unavailable::Overloaded | Unavailable::Sts(StsUnavailable::Unreachable),
            ) => Some(Self::Unable(code)),
            Outcome::Unavailable(_) => (!made_a_call).then_some(Self::Unable(code)),
        }
    }
}

/// The lines of one reason that were not written in a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) reason: LineReason,
    /// Number of lines.
    pub(crate) count: u64,
    /// Reference of the first token, unless its account is scrubbed.
    pub(crate) reference: Option<Fingerprint>,
    /// The second, in seconds since the epoch.
    pub(crate) second: u64,
}

impl Summary {
    /// Returns the second in the format of RFC 3339.
    pub(crate) fn second(&self) -> String {
        let second = UNIX_EPOCH.checked_add(Duration::from_secs(self.second));
        humantime::format_rfc3339_seconds(second.unwrap_or(UNIX_EPOCH)).to_string()
    }

    fn log(&self) {
        let Self {
            reason,
            count,
            reference,
            ..
        } = *self;
        let second = self.second();
        let reference = reference.map(tracing::field::display);
        match reason {
            LineReason::Denied(result) => {
                tracing::warn!(result, count, reference, second, "more denials, summarized");
            }
            LineReason::Unable(result) => {
                tracing::error!(
                    result,
                    count,
                    reference,
                    second,
                    "more unavailable answers, summarized"
                );
            }
            LineReason::Rejected(status) => {
                tracing::warn!(status, count, second, "more rejected requests, summarized");
            }
            LineReason::TurnedAway => {
                tracing::warn!(
                    count,
                    second,
                    "more requests of proxies refused, summarized"
                );
            }
            LineReason::Flood => {
                tracing::warn!(
                    count,
                    second,
                    "more connections closed for floods, summarized"
                );
            }
        }
    }
}

/// Decides which lines are written, and counts the rest.
pub(super) struct LineLimiter {
    budget: Mutex<LineBudget>,
    clock: fn() -> SystemTime,
    audit: Option<Audit>,
    has_counted: Notify,
}

impl LineLimiter {
    /// Builds a limiter that reads `clock`, and writes summaries of decisions to `audit`, too.
    pub(super) fn new(audit: Option<Audit>, clock: fn() -> SystemTime) -> Self {
        Self {
            budget: Mutex::default(),
            clock,
            audit,
            has_counted: Notify::new(),
        }
    }

    /// Returns whether `decided` has its own line. If not, the line is counted.
    pub(super) fn admits_decision(&self, decided: &DecisionRecord) -> bool {
        let explanation = decided.decision.explanation();
        // Lines about scrubbed accounts have only the result.
        let reference = explanation.fingerprint.filter(|_| !explanation.scrubbed);
        LineReason::for_free_decision(decided).is_none_or(|reason| self.admits(reason, reference))
    }

    /// Returns whether a line for `reason` may be written. If not, the line is counted.
    pub(super) fn admits(&self, reason: LineReason, reference: Option<Fingerprint>) -> bool {
        let mut budget = self.budget.lock();
        // The clock is read under the lock, so that threads do not alternate between two seconds.
        let finished = budget.begin(self.second());
        let spent = budget.spend(reason, reference);
        drop(budget);
        self.write(&finished);
        if spent == LineOutcome::FirstCounted {
            self.has_counted.notify_one();
        }
        spent == LineOutcome::Line
    }

    /// Writes summaries after their second is over. Never returns.
    pub(super) async fn run(&self) {
        loop {
            self.has_counted.notified().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            let finished = self.budget.lock().begin(self.second());
            self.write(&finished);
        }
    }

    /// Writes the remaining summaries at shutdown.
    pub(super) fn finish(&self) {
        let rest = self.budget.lock().finish();
        self.write(&rest);
    }

    fn write(&self, summaries: &[Summary]) {
        for summary in summaries {
            summary.log();
            if let Some(audit) = &self.audit {
                audit.summarize(summary);
            }
        }
    }

    fn second(&self) -> u64 {
        let now = (self.clock)().duration_since(UNIX_EPOCH);
        now.map_or(0, |since| since.as_secs())
    }
}

/// The lines of one second.
#[derive(Default)]
struct LineBudget {
    second: u64,
    written: u64,
    tallies: Vec<Tally>,
}

/// The lines of one second for one reason.
struct Tally {
    reason: LineReason,
    written: u64,
    counted: u64,
    reference: Option<Fingerprint>,
}

/// Whether a line is written or only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineOutcome {
    Line,
    FirstCounted,
    Counted,
}

impl LineBudget {
    /// Starts `second` if it differs from the current one, and returns the summaries of the previous second.
    fn begin(&mut self, second: u64) -> Vec<Summary> {
        if second == self.second {
            return Vec::new();
        }
        let finished = self.finish();
        self.second = second;
        finished
    }

    fn finish(&mut self) -> Vec<Summary> {
        let second = self.second;
        self.written = 0;
        let counted = self.tallies.drain(..).filter(|tally| tally.counted > 0);
        counted
            .map(|tally| Summary {
                reason: tally.reason,
                count: tally.counted,
                reference: tally.reference,
                second,
            })
            .collect()
    }

    fn spend(&mut self, reason: LineReason, reference: Option<Fingerprint>) -> LineOutcome {
        let known = self.tallies.iter().position(|tally| tally.reason == reason);
        let index = known.unwrap_or_else(|| {
            self.tallies.push(Tally {
                reason,
                written: 0,
                counted: 0,
                reference: None,
            });
            self.tallies.len() - 1
        });
        let Some(tally) = self.tallies.get_mut(index) else {
            return LineOutcome::Line;
        };
        let has_room = tally.counted == 0
            && tally.written < LINES_PER_REASON
            && (tally.written < FEW_LINES || self.written < LINES);
        if has_room {
            tally.written += 1;
            self.written += 1;
            return LineOutcome::Line;
        }
        tally.counted += 1;
        tally.reference = tally.reference.or(reference);
        match tally.counted {
            1 => LineOutcome::FirstCounted,
            _ => LineOutcome::Counted,
        }
    }
}

#[cfg(test)]
mod tests;
