//! The budget of a connection for traffic that starts no request.
//!
//! An HTTP/2 frame that starts no request (`PING`, `SETTINGS`, `PRIORITY`, `WINDOW_UPDATE`) costs its sender a few
//! bytes, but costs the server a response or a lookup. A read of a few bytes is similar, in both versions of HTTP. h2
//! counts only resets and small `DATA` frames, and hyper counts nothing. So each connection has a budget for all of
//! them, and each request refunds a part of it. The budget needs no clock, because a connection without requests is
//! closed as idle.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use thiserror::Error;

/// Number of frames and small reads that a connection may spend without a request. Widely used client libraries spend
/// fewer than ten for each request, and one for each `PING` in between.
const CONNECTION_BUDGET: u32 = 500;
/// Additional budget for each request that may be open at the same time, because a client may send the frames of all
/// requests before the server handles the first one.
const STREAM_BUDGET: u32 = 2;
/// Budget that the start of a request refunds.
const REFUND: u32 = 20;

/// The budget of one connection.
#[derive(Debug)]
pub(super) struct OverheadBudget {
    limit: u32,
    left: AtomicU32,
    is_exceeded: AtomicBool,
}

/// The client exceeded its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the client sent too much that starts no request")]
pub(super) struct BudgetExceeded;

impl OverheadBudget {
    /// Builds the budget of a connection with up to `streams` simultaneous requests.
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
    /// If less than `cost` is left.
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

    /// Refunds a part of the budget, because a request started.
    pub(super) fn refund(&self) {
        let refund = |left: u32| Some(left.saturating_add(REFUND).min(self.limit));
        // The update never fails, because the closure always returns a value.
        let _ = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, refund);
    }

    /// Returns whether the client exceeded its budget.
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

    /// Traffic of widely used clients: a `PING` every 10 seconds on a connection with one request each minute, and ten
    /// frames with each request.
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
