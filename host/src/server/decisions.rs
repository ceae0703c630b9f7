//! Decisions about tokens and their records: the metrics count each decision, and the log and the audit file have a
//! line for each, or a [summary](crate::server::line_limiter) during a flood.

use std::sync::Arc;

use ack_ram_core::decision::{Decision, Outcome, Unavailable};
use ack_ram_core::secret::Secret;

use crate::audit::Audit;
use crate::authenticator::Authenticator;
use crate::metrics::{LoginTimer, Metrics, OverloadReason};
use crate::server::decision_log;
use crate::server::line_limiter::LineLimiter;
use crate::sts::Requester;

/// Decides about tokens, and records each decision.
pub(super) struct Decisions {
    authenticator: Arc<Authenticator>,
    metrics: Arc<Metrics>,
    audit: Option<Audit>,
    lines: Arc<LineLimiter>,
}

impl Decisions {
    pub(super) fn new(
        authenticator: Arc<Authenticator>,
        metrics: Arc<Metrics>,
        audit: Option<Audit>,
        lines: Arc<LineLimiter>,
    ) -> Self {
        Self {
            authenticator,
            metrics,
            audit,
            lines,
        }
    }

    /// Decides about `token` for `requester`, ends `login`, and records the decision in the log, audit file and
    /// metrics.
    pub(super) async fn decide_and_record(
        &self,
        token: &Secret,
        requester: Requester,
        login: LoginTimer<'_>,
    ) -> Decision {
        let decided = self.authenticator.decide(token, requester).await;
        let took = login.elapsed();
        if self.lines.admits_decision(&decided) {
            decision_log::write(&decided, took);
            if let Some(audit) = &self.audit {
                audit.record(&decided, took);
            }
        }
        self.metrics
            .logins
            .count_decision(decided.decision.outcome());
        login.end(decided.decision.metric_result());
        if let Outcome::Unavailable(Unavailable::Overloaded) = decided.decision.outcome() {
            self.metrics.connections.count_overload(OverloadReason::Sts);
        }
        decided.decision
    }
}
