//! A decision with the details that the log and the audit file add.

use ack_ram_core::decision::{Decision, Outcome, Unavailable};

/// Where STS's answer about a token came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentitySource {
    /// A cache hit.
    Cache,
    /// A new call.
    Sts,
    /// An in-flight call for an equal token.
    SharedCall,
}

impl IdentitySource {
    /// Returns a stable name for logs and metrics.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Cache => "hit",
            Self::Sts => "miss",
            Self::SharedCall => "shared",
        }
    }
}

/// A decision about a token, with the details that the log and the audit file add.
#[must_use]
#[derive(Debug)]
pub struct DecisionRecord {
    /// The decision.
    pub decision: Decision,
    /// Why STS could not be reached. The text names hosts, so it is only for the log and for administrators.
    pub cause: Option<String>,
    /// Source of STS's answer; `None` if no answer was needed.
    pub source: Option<IdentitySource>,
}

impl DecisionRecord {
    /// Returns what happened and what to do, with the cause, or `None` if there is nothing to report.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match (self.decision.outcome(), &self.cause) {
            (Outcome::Unavailable(Unavailable::Sts(error)), Some(cause)) => {
                Some(format!("{error}: {cause}"))
            }
            _ => self.decision.reason(),
        }
    }
}

impl From<Decision> for DecisionRecord {
    fn from(decision: Decision) -> Self {
        Self {
            decision,
            cause: None,
            source: None,
        }
    }
}
