//! What a client may send that begins no request.
//!
//! A frame of HTTP/2 that asks nothing (`PING`, `SETTINGS`, `PRIORITY`, `WINDOW_UPDATE`) costs its sender a few bytes and
//! the server an answer or a look-up, and so does a read that brings a few bytes, of either version of HTTP. h2 counts
//! resets and small `DATA` alone, and hyper nothing. Here each connection has a budget for all of them, and each request
//! that begins gives back a part of it. No clock is needed: a connection without requests is closed for being idle.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Frames and small reads that a connection may spend without a request. Clients whose libraries are in common use spend
/// fewer than ten for each request, and one for each `PING` in between.
const CONNECTION_BUDGET: u32 = 500;
/// What a request that may be open at the same time adds to that: a client may send the frames of all of them before the
/// server looks at the first.
const STREAM_BUDGET: u32 = 2;
/// What a request that begins gives back.
const REFUND: u32 = 20;

/// The budget of one connection.
#[derive(Debug)]
pub(super) struct OverheadBudget {
    limit: u32,
    left: AtomicU32,
    is_exceeded: AtomicBool,
}

/// The client has exceeded its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BudgetExceeded;

impl fmt::Display for BudgetExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client sent too much that begins no request")
    }
}

impl std::error::Error for BudgetExceeded {}

impl OverheadBudget {
    /// Builds the budget of a connection that may have `streams` requests at once.
    pub(super) fn new(streams: u32) -> Self {
        let limit = streams
            .saturating_mul(STREAM_BUDGET)
            .saturating_add(CONNECTION_BUDGET);
        Self {
            limit,
            left: AtomicU32::new(limit),
            is_exceeded: AtomicBool::new(false),
        }
    }

    /// Takes `cost` from the budget.
    ///
    /// # Errors
    /// When less is left.
    pub(super) fn spend(&self, cost: u32) -> Result<(), BudgetExceeded> {
        if cost == 0 {
            return Ok(());
        }
        let spend = |left: u32| left.checked_sub(cost);
        let spent = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend);
        spent.map(|_| ()).map_err(|_| {
            self.is_exceeded.store(true, Ordering::Relaxed);
            BudgetExceeded
        })
    }

    /// Gives back what a request that begins is worth.
    pub(super) fn refund(&self) {
        let refund = |left: u32| Some(left.saturating_add(REFUND).min(self.limit));
        // It never fails: there is always a new value.
        let _ = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, refund);
    }

    /// Returns whether the connection was to be closed for its budget.
    pub(super) fn is_exceeded(&self) -> bool {
        self.is_exceeded.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budget_is_spent_and_refunded_up_to_limit() {
        let budget = OverheadBudget::new(10);
        let limit = CONNECTION_BUDGET + 10 * STREAM_BUDGET;
        budget.refund();
        for _ in 0..limit {
            assert_eq!(budget.spend(1), Ok(()));
        }
        assert_eq!(budget.spend(0), Ok(()));
        assert!(!budget.is_exceeded());
        budget.refund();
        assert_eq!(budget.spend(REFUND), Ok(()));
        assert_eq!(budget.spend(1), Err(BudgetExceeded));
        assert!(budget.is_exceeded());
        assert_eq!(OverheadBudget::new(u32::MAX).spend(u32::MAX), Ok(()));
    }

    /// What clients in common use send: a `PING` every 10 s on a connection that asks once a minute, and ten frames with
    /// each request.
    #[test]
    fn ordinary_client_never_exceeds_the_budget() {
        let budget = OverheadBudget::new(0);
        for _minute in 0..100_000 {
            for cost in [6, 10] {
                assert_eq!(budget.spend(cost), Ok(()));
            }
            budget.refund();
        }
    }
}
