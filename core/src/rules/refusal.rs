//! The reasons why the rules produce no user.

use crate::rules::expression::EvaluationError;
use crate::rules::naming::NameError;
use crate::rules::source::Backend;

/// The reason why the rules produce no user for an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RulesError {
    /// The rules refuse the identity, so the caller is denied.
    Refused(RulesRefusal),
    /// The rules cannot answer now. The caller is neither granted nor denied access, and a retry may succeed.
    Unavailable(RulesUnavailable),
}

/// The reason why the rules refuse an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RulesRefusal {
    /// No rule matches the identity.
    NotMapped,
    /// A rule matches, but produces an invalid name.
    Name(NameError),
    /// A validation refused the user, with this message.
    Validation(Box<str>),
    /// A validation could not be evaluated.
    ValidationFailed(EvaluationError),
}

/// The reason why the rules cannot answer now: a backend cannot answer, and no later backend may answer in its
/// place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesUnavailable {
    /// The next backend in order is not synced yet.
    #[error("the mappings of the backend {0} are not loaded yet")]
    NotReady(Backend),
    /// The next backend in order has invalid content.
    #[error("the mappings of the backend {0} are invalid")]
    Broken(Backend),
    /// The backend that maps the identity is stale: its source has not confirmed its mappings for longer than the host
    /// allows, so the mapping may no longer exist.
    #[error(
        "the mappings of the backend {0} have not been confirmed for longer than `server.maxStaleness`"
    )]
    Stale(Backend),
}

impl RulesRefusal {
    /// Returns the stable result code, for logs and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotMapped => "not_mapped",
            Self::Name(_) => "name_refused",
            Self::Validation(_) => "validation_refused",
            Self::ValidationFailed(_) => "validation_failed",
        }
    }
}

impl RulesUnavailable {
    /// Returns the stable result code, for logs and tests.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotReady(_) => "rules_not_read",
            Self::Broken(_) => "backend_broken",
            Self::Stale(_) => "backend_stale",
        }
    }

    /// Returns what the user can do about the failure.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Self::NotReady(_) => "try again in a moment",
            Self::Broken(_) => "ask an administrator of the cluster to correct them",
            Self::Stale(_) => {
                "ask an administrator of the cluster to check why the authenticator cannot read them, and try again"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unavailable_rules_reason_determines_code() {
        for (unavailable, code) in [
            (RulesUnavailable::NotReady(Backend::Crd), "rules_not_read"),
            (RulesUnavailable::Broken(Backend::Crd), "backend_broken"),
            (RulesUnavailable::Stale(Backend::Crd), "backend_stale"),
        ] {
            assert_eq!(unavailable.code(), code);
        }
    }
}
