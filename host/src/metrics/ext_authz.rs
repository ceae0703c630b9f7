//! Metrics of answers to proxies.

use ack_ram_core::gateway::RefusalKind;
use prometheus::{Error, IntCounter, IntCounterVec, Registry};

use crate::metrics::{metric_opts, register};

const REFUSALS: [RefusalKind; 4] = [
    RefusalKind::NoToken,
    RefusalKind::InvalidToken,
    RefusalKind::Forbidden,
    RefusalKind::Unavailable,
];

/// Metrics of answers to proxies.
pub struct ExtAuthzMetrics {
    passed: IntCounter,
    preflights: IntCounter,
    refused: [(RefusalKind, IntCounter); 4],
}

impl ExtAuthzMetrics {
    pub(super) fn new(registry: &Registry) -> Result<Self, Error> {
        let answers = metric_opts(
            "ext_authz_answers_total",
            "Answers to proxies: passed, preflight (passed without a token), no_token and invalid_token (HTTP 401), forbidden (403), unavailable (503).",
        );
        let answers = register(registry, IntCounterVec::new(answers, &["answer"]))?;
        Ok(Self {
            passed: answers.with_label_values(&["passed"]),
            preflights: answers.with_label_values(&["preflight"]),
            refused: REFUSALS.map(|kind| (kind, answers.with_label_values(&[kind.code()]))),
        })
    }

    /// Counts a CORS preflight that passed without a token.
    pub fn count_preflight(&self) {
        self.preflights.inc();
    }

    /// Counts an answer to a proxy: a pass if `refused` is `None`, otherwise a refusal of that kind.
    pub fn count_answer(&self, refused: Option<RefusalKind>) {
        let counter = match refused {
            None => Some(&self.passed),
            Some(kind) => self
                .refused
                .iter()
                .find(|(known, _)| *known == kind)
                .map(|(_, counter)| counter),
        };
        if let Some(counter) = counter {
            counter.inc();
        }
    }
}
