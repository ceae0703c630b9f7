//! Rules: which identity becomes which Kubernetes user.

mod index;
mod mapping;
mod near;
pub mod pattern;
mod sharded;
pub mod subject;
pub mod template;

pub use index::{BackendRules, Conflict};
pub use mapping::{Age, Backend, Globs, Mapping, NameError, Rule, RuleError, Source};
pub use near::NearMiss;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::arn::{AccountId, ArnKey};
use crate::decision::{Decision, Denial, Explanation, KubernetesUser, Matched};
use crate::identity::Identity;
use crate::login::VerifiedIdentity;

/// All rules of a server, in the order in which its backends answer.
///
/// Whoever feeds it changes one and hands out clones, which are cheap and see no later change: requests read theirs
/// without a lock.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    backends: Vec<BackendRules>,
    scrubbed: Arc<BTreeSet<AccountId>>,
}

impl RuleSet {
    /// The rules of `backends`, the first of which answers first. Identities of `scrubbed` accounts are granted
    /// without a trace of who they are.
    #[must_use]
    pub fn new(backends: Vec<BackendRules>, scrubbed: BTreeSet<AccountId>) -> Self {
        Self {
            backends,
            scrubbed: Arc::new(scrubbed),
        }
    }

    /// The rules of each backend, in the order in which they answer.
    #[must_use]
    pub fn backends(&self) -> &[BackendRules] {
        &self.backends
    }

    /// The rules of `backend`, to be changed.
    pub fn backend_mut(&mut self, backend: Backend) -> Option<&mut BackendRules> {
        self.backends
            .iter_mut()
            .find(|rules| rules.backend() == backend)
    }

    /// Decides what `who` is granted. This is the only way to a grant.
    pub fn decide(&self, who: &VerifiedIdentity) -> Decision {
        let identity = who.identity();
        let verdict = self.judge(identity);
        let outcome = verdict.names.map(|(username, groups)| {
            KubernetesUser::new(identity, username, groups, verdict.explanation.scrubbed)
        });
        Decision::about(who.fingerprint(), outcome, verdict.explanation)
    }

    /// How [`Self::decide`] would fare with `identity`, for people. It cannot grant.
    pub fn explain(&self, identity: &Identity) -> (Explanation, Result<Names, Denial>) {
        let verdict = self.judge(identity);
        (verdict.explanation, verdict.names)
    }

    fn judge(&self, identity: &Identity) -> Verdict {
        let key = identity.arn.key();
        let scrubbed = self.scrubbed.contains(identity.account_id());
        let mut explanation = Explanation {
            identity: (!scrubbed).then(|| identity.clone()),
            scrubbed,
            ..Explanation::default()
        };
        let answer = self
            .backends
            .iter()
            .find_map(|rules| answer(rules, identity, &key));
        let names = match answer {
            Some(answer) => {
                explanation.matched = Some(answer.matched);
                explanation.outranked = answer.outranked;
                answer.names
            }
            None => {
                explanation.near_misses = near::misses(&self.backends, identity, &key);
                Err(Denial::NotMapped)
            }
        };
        Verdict { explanation, names }
    }
}

/// A username and groups.
pub type Names = (String, Vec<String>);

struct Verdict {
    explanation: Explanation,
    names: Result<Names, Denial>,
}

/// What one backend says of an identity.
struct Answer {
    matched: Matched,
    names: Result<Names, Denial>,
    outranked: Vec<Source>,
}

/// How many rules that would have matched, too, an explanation names.
const MAX_OUTRANKED: usize = 3;

fn answer(rules: &BackendRules, identity: &Identity, key: &ArnKey) -> Option<Answer> {
    let mut candidates = rules.candidates(identity, key);
    if let Some(rule) = candidates.next() {
        return Some(Answer {
            matched: Matched::Rule(rule.source().clone()),
            names: rule.names(identity).map_err(Denial::Name),
            outranked: candidates
                .take(MAX_OUTRANKED)
                .map(|rule| rule.source().clone())
                .collect(),
        });
    }
    let account = identity.account_id();
    rules.maps_account(account).then(|| Answer {
        matched: Matched::Account {
            backend: rules.backend(),
            account: account.clone(),
        },
        names: Ok((identity.arn.canonical().to_string(), Vec::new())),
        outranked: Vec::new(),
    })
}
