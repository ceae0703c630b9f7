//! Decisions about tokens, none of which goes untold: the log and the audit file have each, of a flood in a
//! [summary](crate::server::line_limiter), and the metrics count each.

use std::sync::Arc;

use ack_ram_core::decision::{Decision, Inability, Outcome};
use ack_ram_core::secret::Secret;

use crate::audit::Audit;
use crate::authenticator::Authenticator;
use crate::metrics::{Login, Metrics, Shed};
use crate::server::decision_log;
use crate::server::line_limiter::LineLimiter;
use crate::sts::AskedBy;

/// Decides, and tells of it.
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

    /// The decision about `token`, with which `login` ends, for somebody by whom it is `asked_by`.
    pub(super) async fn about(
        &self,
        token: &Secret,
        asked_by: AskedBy,
        login: Login<'_>,
    ) -> Decision {
        let decided = self.authenticator.decide(token, asked_by).await;
        let took = login.elapsed();
        if self.lines.admits_decision(&decided) {
            decision_log::write(&decided, took);
            if let Some(audit) = &self.audit {
                audit.record(&decided, took);
            }
        }
        self.metrics.logins.decided(&decided.decision.outcome);
        login.end(decided.decision.metric_result());
        if let Outcome::Unable(Inability::Overloaded) = decided.decision.outcome {
            self.metrics.connections.shed(Shed::Sts);
        }
        decided.decision
    }
}
