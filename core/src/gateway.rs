//! Logins at a gateway: a proxy in front of services that do not know these tokens. The proxy runs a filter or calls a
//! server.
//!
//! The decision is the same as for a cluster. This module translates it into a refusal for the client, or into identity
//! headers for the service.

mod bearer;
mod identity_headers;
mod preflight;
mod refusal;
mod stray_token;

pub use bearer::{BearerError, InvalidTokenHeader, TokenHeader, extract_bearer};
pub use identity_headers::{HeaderValueError, IdentityHeaders, InvalidHeaderName};
pub use preflight::is_preflight;
pub use refusal::{Refusal, RefusalKind};
pub use stray_token::contains_token;

use crate::decision::{Decision, Outcome};
use crate::kubernetes_user::KubernetesUser;

/// The settings of a gateway: the users that it admits, and the headers in which services receive the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gateway {
    /// The headers in which services receive the user.
    pub headers: IdentityHeaders,
    /// The groups of which a user must be in at least one. If the list is empty, every user is admitted.
    pub required_groups: Vec<String>,
}

/// A user that the gateway admits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmittedUser<'a> {
    /// The user.
    pub user: &'a KubernetesUser,
    /// The names and values of the identity headers for the service. Before you add them, remove every header of the
    /// client for which [`IdentityHeaders::is_identity_header`] is true.
    pub headers: Vec<(String, String)>,
}

impl Gateway {
    /// Admits the user that `decision` grants, if headers can carry that user to a service.
    ///
    /// # Errors
    /// Returns the refusal to send to the client: the decision is not a grant, the user is in no required group, or
    /// headers cannot carry the user.
    pub fn admit<'a>(&self, decision: &'a Decision) -> Result<AdmittedUser<'a>, Refusal> {
        let Outcome::Granted(user) = &decision.outcome else {
            return Err(Refusal::from_decision(decision));
        };
        let reference = decision.explanation.fingerprint;
        if !self.required_groups.is_empty()
            && !user
                .groups
                .iter()
                .any(|group| self.required_groups.contains(group))
        {
            return Err(Refusal::forbidden(
                "you are logged in, but not in any of the required groups; ask an administrator for access",
                reference,
            ));
        }
        match self.headers.for_user(user) {
            Ok(headers) => Ok(AdmittedUser { user, headers }),
            Err(error) => Err(Refusal::forbidden(error.to_string(), reference)),
        }
    }
}

#[cfg(test)]
mod tests;
