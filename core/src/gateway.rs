//! Logins at a gateway: a proxy in front of services that know nothing of tokens. The proxy runs a filter, or asks a
//! server.
//!
//! The decision is the same as for a cluster. This module translates it: into a refusal for the client, and into
//! identity headers for the service.

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

/// The settings of a gateway: who may pass, and how services are told the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gateway {
    /// The headers that name the user to services.
    pub headers: IdentityHeaders,
    /// Of these groups a user must be in one; with none, every user passes.
    pub required_groups: Vec<String>,
}

/// A user who may pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmittedUser<'a> {
    /// The user.
    pub user: &'a KubernetesUser,
    /// Names and values of the headers for the service, to be added when all that the client sent under
    /// [`IdentityHeaders::is_identity_header`] has been removed.
    pub headers: Vec<(String, String)>,
}

impl Gateway {
    /// Admits the user that `decision` grants, if headers can carry that user to a service.
    ///
    /// # Errors
    /// The refusal to answer with: no grant, no required group, or a user that headers cannot carry.
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
                "you are logged in, but in none of the groups that may come here; ask an administrator",
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
