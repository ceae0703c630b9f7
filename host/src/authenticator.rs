//! Decides about tokens: runs the checks of `core` and gets STS's answer.
//!
//! STS's answer comes from the [cache], from an in-flight call for an equal token, or from a new call. In each case the
//! current rules apply. A cached token passed every check of `core` under the same policy, so an equal token needs no
//! further check until the cache entry expires.

mod cache;
mod decision_record;
mod resolver;
mod single_flight;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ack_ram_core::decision::Outcome;
use ack_ram_core::secret::Secret;
use arc_swap::ArcSwap;

use crate::backends::live::LiveRules;
use crate::sts::{CredentialStandings, Requester};
pub use decision_record::{DecisionRecord, IdentitySource};
pub use resolver::{IdentityResolver, ResolvedIdentity};

/// Log target of messages about logins.
const TARGET: &str = module_path!();

/// Decides which Kubernetes user a token authenticates.
pub struct Authenticator {
    /// Resolves tokens to identities. Replaced, together with its cache, when settings change.
    resolver: ArcSwap<IdentityResolver>,
    /// The credentials that were granted a login. They survive a change of settings, because a flood may be in
    /// progress.
    standings: CredentialStandings,
    /// The rules that map identities to users.
    rules: Arc<LiveRules>,
}

impl Authenticator {
    /// Builds an authenticator that resolves tokens with `resolver` and maps identities by `rules`.
    #[must_use]
    pub fn new(resolver: IdentityResolver, rules: Arc<LiveRules>) -> Self {
        Self {
            resolver: ArcSwap::from_pointee(resolver),
            standings: CredentialStandings::default(),
            rules,
        }
    }

    /// Replaces the resolver. In-flight logins finish with the previous one.
    pub fn replace(&self, resolver: IdentityResolver) {
        self.resolver.store(Arc::new(resolver));
    }

    /// Decides about `token` by the rules in effect when its identity is resolved.
    pub async fn decide(&self, token: &Secret, requester: Requester) -> DecisionRecord {
        let resolver = self.resolver.load_full();
        let resolving = resolver.resolve(token, requester, &self.standings);
        match resolving.await {
            Ok(ResolvedIdentity {
                identity,
                credential,
                source,
            }) => {
                let decision = self.rules.decide(&identity);
                match decision.outcome() {
                    Outcome::Granted(_) => {
                        self.standings.note(credential, true);
                        resolver.promote(&identity);
                    }
                    Outcome::Denied(_) => self.standings.note(credential, false),
                    Outcome::UnrecognizedToken | Outcome::Unavailable(_) => {}
                }
                DecisionRecord {
                    decision,
                    cause: None,
                    source: Some(source),
                }
            }
            Err(decided) => *decided,
        }
    }
}
