//! Rules: which identity becomes which Kubernetes user.

pub mod expression;
mod index;
mod mapping;
mod naming;
mod near;
pub mod pattern;
mod patterns;
mod protected;
mod ranked;
mod sharded;
pub mod subject;
pub mod template;
mod validation;

pub use index::{BackendRules, Conflict, ReservedPrefixes};
pub use mapping::{Age, Backend, Globs, Mapping, Rule, RuleError, SessionArns, Source};
pub use naming::{MayAddError, NameError, NameProblem};
pub use near::NearMiss;
pub use protected::Protected;
pub use validation::Validation;

use std::sync::Arc;

use crate::arn::{AccountId, ArnKey};
use crate::decision::{Decision, Denial, Explanation, KubernetesUser, Matched, NoUser, PassedOver};
use crate::identity::Identity;
use crate::login::VerifiedIdentity;
use crate::rules::sharded::ShardedMap;

/// All rules of a server, in the order in which its backends answer.
///
/// Whoever feeds it changes one and hands out clones, which are cheap and see no later change: requests read theirs
/// without a lock.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    backends: Vec<BackendRules>,
    protected: Arc<Protected>,
    validations: Arc<[Validation]>,
    scrubbed: ShardedMap<AccountId>,
}

impl RuleSet {
    /// The rules of `backends`, the first of which answers first. Identities of `scrubbed` accounts are granted
    /// without a trace of who they are.
    #[must_use]
    pub fn new(backends: Vec<BackendRules>, scrubbed: impl IntoIterator<Item = AccountId>) -> Self {
        let mut accounts = ShardedMap::default();
        for account in scrubbed {
            let key = account.as_str().to_owned();
            accounts.alter(&key, |_| Some(account));
        }
        Self {
            backends,
            protected: Arc::default(),
            validations: Arc::default(),
            scrubbed: accounts,
        }
    }

    /// The same rules; every user that they give must pass `validations`, too.
    #[must_use]
    pub fn with_validations(self, validations: Vec<Validation>) -> Self {
        Self {
            validations: validations.into(),
            ..self
        }
    }

    /// The same rules; identities that `protected` names are answered by the file's mappings, where it has any.
    #[must_use]
    pub fn with_protected(self, protected: Protected) -> Self {
        Self {
            protected: Arc::new(protected),
            ..self
        }
    }

    /// The same rules; those of each backend are marked as stale where `is_stale` says so, and as confirmed elsewhere.
    /// The host knows the time, and asks for this with each decision.
    #[must_use]
    pub fn with_stale(self, is_stale: impl Fn(Backend) -> bool) -> Self {
        let backends = self.backends.into_iter();
        let backends = backends.map(|rules| {
            let is_stale = is_stale(rules.backend());
            rules.with_stale(is_stale)
        });
        Self {
            backends: backends.collect(),
            ..self
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
        let (explanation, result) = self.explain(who.identity());
        Decision::about(who.fingerprint(), result, explanation)
    }

    /// What [`Self::decide`] would say of `identity`, for people: it is no decision, since nobody has proven to be that.
    pub fn explain(&self, identity: &Identity) -> (Explanation, Result<KubernetesUser, NoUser>) {
        let key = identity.arn.key();
        let scrubbed = self.scrubbed.get(identity.account_id().as_str()).is_some();
        let mut explanation = Explanation {
            identity: (!scrubbed).then(|| identity.clone()),
            scrubbed,
            ..Explanation::default()
        };
        let answer = match self.ask(identity, &key, &mut explanation) {
            Ok(answer) => answer,
            Err(why) => return (explanation, Err(why)),
        };
        let names = match answer {
            Some(answer) if answer.is_stale => {
                let backend = answer.matched.backend();
                explanation.matched = Some(answer.matched);
                return (explanation, Err(NoUser::Stale(backend)));
            }
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
        let user = names.and_then(|(username, groups)| {
            let user = KubernetesUser::new(identity, username, groups, scrubbed);
            self.validations
                .iter()
                .try_for_each(|validation| validation.check(identity, &user))
                .map(|()| user)
        });
        (explanation, user.map_err(NoUser::Denied))
    }

    /// What the first backend that knows `identity` says of it.
    ///
    /// # Errors
    /// When a backend before any answer has not been read or is broken: a later backend must not answer in its place.
    fn ask(
        &self,
        identity: &Identity,
        key: &ArnKey,
        explanation: &mut Explanation,
    ) -> Result<Option<Answer>, NoUser> {
        if self.protected.protects(key) {
            let file = |rules: &&BackendRules| rules.backend() == Backend::MountedFile;
            let file = self.backends.iter().find(file);
            let passed_over = &mut explanation.passed_over;
            if let Some(answer) = file.and_then(|file| answer(file, identity, key, passed_over)) {
                explanation.protected = true;
                let others = self.backends.iter();
                let others = others.filter(|rules| rules.backend() != Backend::MountedFile);
                return Ok(Some(answer.before(others, identity, key)));
            }
            // The file will be asked again, in its turn.
            passed_over.clear();
        }
        for (index, rules) in self.backends.iter().enumerate() {
            if rules.is_broken() {
                return Err(NoUser::Broken(rules.backend()));
            }
            if !rules.is_read() {
                return Err(NoUser::NotRead(rules.backend()));
            }
            if let Some(answer) = answer(rules, identity, key, &mut explanation.passed_over) {
                let later = self.backends.iter().skip(index + 1);
                return Ok(Some(answer.before(later, identity, key)));
            }
        }
        Ok(None)
    }
}

/// A username and groups.
pub(crate) type Names = (String, Vec<String>);

/// What one backend says of an identity.
struct Answer {
    matched: Matched,
    names: Result<Names, Denial>,
    outranked: Vec<Source>,
    /// The backend's rules are stale, so the answer must not be given.
    is_stale: bool,
}

impl Answer {
    /// The same, with the rules of `later` backends that it outranks.
    fn before<'a>(
        mut self,
        later: impl Iterator<Item = &'a BackendRules>,
        identity: &Identity,
        key: &ArnKey,
    ) -> Self {
        let rules = later
            .filter(|rules| rules.is_read())
            .flat_map(|rules| rules.candidates(identity, key))
            .take(MAX_NAMED.saturating_sub(self.outranked.len()));
        self.outranked.extend(matching(rules, identity));
        self
    }
}

/// How many rules of a kind an explanation names.
const MAX_NAMED: usize = 5;

/// The rules among `candidates` that speak for `identity`.
fn matching<'a>(
    candidates: impl Iterator<Item = &'a Rule>,
    identity: &Identity,
) -> impl Iterator<Item = Source> {
    candidates
        .filter(|rule| matches!(rule.holds(identity), Ok(true)))
        .map(|rule| rule.source().clone())
}

fn answer(
    rules: &BackendRules,
    identity: &Identity,
    key: &ArnKey,
    passed_over: &mut Vec<PassedOver>,
) -> Option<Answer> {
    let mut candidates = rules.candidates(identity, key);
    let first = candidates.find(|rule| {
        let failure = match rule.holds(identity) {
            Ok(true) => return true,
            Ok(false) => None,
            Err(error) => Some(error.to_string()),
        };
        if passed_over.len() < MAX_NAMED {
            passed_over.push(PassedOver {
                rule: rule.source().clone(),
                failure,
            });
        }
        false
    });
    let unreserved = |names| rules.unreserved(names);
    if let Some(rule) = first {
        return Some(Answer {
            matched: Matched::Rule(rule.source().clone()),
            names: rule
                .names(identity)
                .and_then(unreserved)
                .map_err(Denial::Name),
            outranked: matching(candidates.take(MAX_NAMED), identity).collect(),
            is_stale: rules.is_stale(),
        });
    }
    let account = identity.account_id();
    rules.maps_account(account).then(|| Answer {
        matched: Matched::Account {
            backend: rules.backend(),
            account: account.clone(),
        },
        names: unreserved((identity.arn.canonical().to_string(), Vec::new())).map_err(Denial::Name),
        outranked: Vec::new(),
        is_stale: rules.is_stale(),
    })
}

#[cfg(test)]
mod tests;
