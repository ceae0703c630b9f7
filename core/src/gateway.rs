//! Logins at a gateway: a proxy in front of services that know nothing of tokens, with a filter in it or with a server
//! that it asks.
//!
//! The decision is that of a cluster. What is here is how it is told: to the client that was turned away, and to the
//! service that is told who comes.

mod bearer;
mod front_proxy;
mod preflight;
mod refusal;
mod stray;

pub use bearer::{NoBearer, NoTokenHeader, TokenHeader, bearer};
pub use front_proxy::{IdentityHeaders, InvalidHeaderName, Unsendable};
pub use preflight::is_preflight;
pub use refusal::{Refusal, RefusalKind};
pub use stray::holds_token;

use crate::decision::{Decision, KubernetesUser, Outcome};

/// Whom a gateway lets pass, and how it names them to services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gateway {
    /// The headers that name whoever passes.
    pub headers: IdentityHeaders,
    /// Of these groups a user must be in one; with none, every user passes.
    pub required_groups: Vec<String>,
}

/// Somebody who may pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted<'a> {
    /// Who it is.
    pub user: &'a KubernetesUser,
    /// Names and values of the headers for the service, to be added when all that the client sent under
    /// [`IdentityHeaders::is_ours`] has been removed.
    pub headers: Vec<(String, String)>,
}

impl Gateway {
    /// Lets pass whomever `decision` grants to be a user, if a service can be told of that user.
    ///
    /// # Errors
    /// What to answer to everyone else.
    pub fn admit<'a>(&self, decision: &'a Decision) -> Result<Admitted<'a>, Refusal> {
        let Outcome::Granted(user) = &decision.outcome else {
            return Err(Refusal::of(decision));
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
        match self.headers.of(user) {
            Ok(headers) => Ok(Admitted { user, headers }),
            Err(unsendable) => Err(Refusal::forbidden(unsendable.to_string(), reference)),
        }
    }
}

#[cfg(test)]
mod tests;
