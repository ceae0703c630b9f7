//! Why the rules give no user.

use crate::rules::expression::EvaluationError;
use crate::rules::naming::NameError;
use crate::rules::source::Backend;

/// Why the rules give no user for an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RulesError {
    /// The rules refuse the identity: the caller is denied.
    Refused(RulesRefusal),
    /// The rules cannot answer now, and the identity is neither granted nor denied. A retry may succeed.
    Unavailable(RulesUnavailable),
}

/// Why the rules refuse an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RulesRefusal {
    /// No rule matches the identity.
    NotMapped,
    /// A rule matches, but gives no usable name.
    Name(NameError),
    /// A validation refused the user, with this message.
    Validation(Box<str>),
    /// A validation could not be evaluated.
    ValidationFailed(EvaluationError),
}

/// Why the rules cannot answer now: a backend cannot, and no later backend may answer in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesUnavailable {
    /// This backend is next in order, and is not synced yet.
    #[error("the mappings of the backend {0} have not been read yet")]
    NotReady(Backend),
    /// This backend is next in order, and its mappings are unusable.
    #[error("the mappings of the backend {0} are broken")]
    Broken(Backend),
    /// This backend maps the identity, and its source has not confirmed its mappings for longer than the host allows.
    /// The mapping may be gone by now.
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

    /// Returns what the user who logs in can do.
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
    fn unavailable_rules_have_their_codes() {
        for (unavailable, code) in [
            (RulesUnavailable::NotReady(Backend::Crd), "rules_not_read"),
            (RulesUnavailable::Broken(Backend::Crd), "backend_broken"),
            (RulesUnavailable::Stale(Backend::Crd), "backend_stale"),
        ] {
            assert_eq!(unavailable.code(), code);
        }
    }
}
