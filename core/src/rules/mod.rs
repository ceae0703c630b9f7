//! Rules, which map identities to Kubernetes users.

mod cow_map;
mod explanation;
pub mod expression;
mod index;
mod mapping;
mod mapping_spec;
mod naming;
mod near_miss;
pub mod pattern;
mod pattern_index;
mod protected;
mod refusal;
mod reserved;
mod rule;
mod rule_error;
mod rule_list;
mod source;
pub mod subject;
pub mod template;
mod validation;

pub use explanation::{Explanation, MatchedEntry, SkippedRule};
pub use index::BackendRules;
pub use mapping::{Mapping, Precedence, SessionArnMode, WildcardMode};
pub use mapping_spec::{FieldSlot, FieldValue, MappingField, MappingSpec};
pub use naming::{NameError, NameProblem, ResolvedNames};
pub use near_miss::NearMiss;
pub use protected::ProtectedIdentities;
pub use refusal::{RulesError, RulesRefusal, RulesUnavailable};
pub use reserved::ReservedPrefixes;
pub use rule::Rule;
pub use rule_error::{MayAddError, RuleError};
pub use rule_list::Conflict;
pub use source::{Backend, Source};
pub use validation::Validation;

use std::sync::Arc;

use crate::arn::{AccountId, ArnKey};
use crate::identity::Identity;
use crate::kubernetes_user::KubernetesUser;
use crate::rules::cow_map::CowMap;
use crate::rules::near_miss::NearMisses;

/// The rules of all backends of a server, in order of precedence.
///
/// A writer changes one rule set and publishes clones. Clones are cheap and do not see later changes, so requests read
/// a clone without a lock.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    backends: Vec<BackendRules>,
    protected: Arc<ProtectedIdentities>,
    validations: Arc<[Validation]>,
    scrubbed: CowMap<AccountId>,
}

impl RuleSet {
    /// Creates a rule set of `backends`, in order of precedence. Users and explanations for identities of `scrubbed`
    /// accounts do not identify the RAM identity.
    #[must_use]
    pub fn new(backends: Vec<BackendRules>, scrubbed: impl IntoIterator<Item = AccountId>) -> Self {
        let mut accounts = CowMap::default();
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

    /// Returns the rules with `validations`, which every user must pass.
    #[must_use]
    pub fn with_validations(self, validations: Vec<Validation>) -> Self {
        Self {
            validations: validations.into(),
            ..self
        }
    }

    /// Returns the rules with `protected` identities, for which the mappings of the mounted file take precedence.
    #[must_use]
    pub fn with_protected(self, protected: ProtectedIdentities) -> Self {
        Self {
            protected: Arc::new(protected),
            ..self
        }
    }

    /// Returns the rules with each backend marked as stale if `is_stale` returns true for it, and as not stale
    /// otherwise. The host knows the time, so it calls this method before each decision.
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

    /// Returns the rules of each backend, in order of precedence.
    #[must_use]
    pub fn backends(&self) -> &[BackendRules] {
        &self.backends
    }

    /// Returns the rules of `backend`, to change them; `None` if the server does not use that backend.
    pub fn backend_mut(&mut self, backend: Backend) -> Option<&mut BackendRules> {
        self.backends
            .iter_mut()
            .find(|rules| rules.backend() == backend)
    }

    /// Returns the result that [`VerifiedIdentity::decide`](crate::login::VerifiedIdentity::decide) would give for
    /// `identity`, and its explanation. It is not a decision, because the identity is not verified.
    ///
    /// # Examples
    ///
    /// ```
    /// use ack_ram_core::access_key::AccessKeyId;
    /// use ack_ram_core::arn::Arn;
    /// use ack_ram_core::identity::Identity;
    /// use ack_ram_core::rules::{
    ///     Backend, BackendRules, Mapping, Precedence, Rule, RuleSet, RulesError, RulesRefusal, Source,
    /// };
    ///
    /// # let source = Source { backend: Backend::Crd, position: "alice".to_owned() };
    /// # let precedence = Precedence::ListIndex(0);
    /// let mapping = Mapping::for_arn(source, precedence, "acs:ram::123:user/alice", "alice", vec![]);
    /// let mut rules = BackendRules::new(Backend::Crd);
    /// rules.apply(Rule::compile(mapping)?);
    /// let rules = RuleSet::new(vec![rules], []);
    ///
    /// let mut identity = Identity {
    ///     arn: Arn::parse("acs:ram::123:user/alice")?,
    ///     user_id: "200".into(),
    ///     access_key_id: AccessKeyId::parse("LTAI5tFakeAccessKeyId001").ok_or("not an access key ID")?,
    /// };
    /// let (explanation, user) = rules.explain(&identity);
    /// assert_eq!(user.map(|user| user.username), Ok("alice".to_owned()));
    /// assert_eq!(explanation.matched.map(|entry| entry.to_string()), Some("CRD alice".to_owned()));
    ///
    /// // An identity without a mapping gets the rules that almost match.
    /// identity.arn = Arn::parse("acs:ram::123:role/alice")?;
    /// let (explanation, user) = rules.explain(&identity);
    /// assert_eq!(user, Err(RulesError::Refused(RulesRefusal::NotMapped)));
    /// assert_eq!(explanation.near_misses.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn explain(
        &self,
        identity: &Identity,
    ) -> (Explanation, Result<KubernetesUser, RulesError>) {
        let key = identity.arn.key();
        let scrubbed = self.scrubbed.get(identity.account_id().as_str()).is_some();
        let mut explanation = Explanation {
            identity: (!scrubbed).then(|| identity.clone()),
            scrubbed,
            ..Explanation::default()
        };
        let found = match self.find_match(identity, &key, &mut explanation) {
            Ok(found) => found,
            Err(reason) => return (explanation, Err(RulesError::Unavailable(reason))),
        };
        let names = match found {
            Some(found) if found.is_stale => {
                let backend = found.matched.backend();
                explanation.matched = Some(found.matched);
                let reason = RulesUnavailable::Stale(backend);
                return (explanation, Err(RulesError::Unavailable(reason)));
            }
            Some(found) => {
                explanation.matched = Some(found.matched);
                explanation.outranked = found.outranked;
                found.names
            }
            None => {
                explanation.near_misses = self.find_near_misses(identity, &key);
                Err(RulesRefusal::NotMapped)
            }
        };
        let user = names.and_then(|(username, groups)| {
            let user = KubernetesUser::new(identity, username, groups, scrubbed);
            self.validations
                .iter()
                .try_for_each(|validation| validation.check(identity, &user))
                .map(|()| user)
        });
        (explanation, user.map_err(RulesError::Refused))
    }

    /// Returns the rules whose subject differs from `identity` in one part, in the order of the backends.
    fn find_near_misses(&self, identity: &Identity, key: &ArnKey) -> Vec<NearMiss> {
        let mut misses = NearMisses::default();
        for backend in &self.backends {
            backend.near_misses(identity.account_id(), key, &mut misses);
        }
        misses.into_vec()
    }

    /// Returns the match of the first backend that maps `identity`.
    ///
    /// # Errors
    /// A backend before the match is not synced or is broken. A later backend must not answer in its place.
    fn find_match(
        &self,
        identity: &Identity,
        key: &ArnKey,
        explanation: &mut Explanation,
    ) -> Result<Option<BackendMatch>, RulesUnavailable> {
        if self.protected.protects(key) {
            let file = |rules: &&BackendRules| rules.backend() == Backend::MountedFile;
            let file = self.backends.iter().find(file);
            let skipped_rules = &mut explanation.skipped_rules;
            if let Some(found) =
                file.and_then(|file| match_backend(file, identity, key, skipped_rules))
            {
                explanation.protected = true;
                let others = self.backends.iter();
                let others = others.filter(|rules| rules.backend() != Backend::MountedFile);
                return Ok(Some(found.with_outranked(others, identity, key)));
            }
            // The loop below evaluates the file again, in the order of the backends.
            skipped_rules.clear();
        }
        for (index, rules) in self.backends.iter().enumerate() {
            if rules.is_broken() {
                return Err(RulesUnavailable::Broken(rules.backend()));
            }
            if !rules.is_synced() {
                return Err(RulesUnavailable::NotReady(rules.backend()));
            }
            if let Some(found) = match_backend(rules, identity, key, &mut explanation.skipped_rules)
            {
                let later = self.backends.iter().skip(index + 1);
                return Ok(Some(found.with_outranked(later, identity, key)));
            }
        }
        Ok(None)
    }
}

/// The match of one backend for an identity.
struct BackendMatch {
    matched: MatchedEntry,
    names: Result<ResolvedNames, RulesRefusal>,
    outranked: Vec<Source>,
    /// The backend's rules are stale, so the match must not be used.
    is_stale: bool,
}

impl BackendMatch {
    /// Adds the rules of `later` backends that also match the identity.
    fn with_outranked<'a>(
        mut self,
        later: impl Iterator<Item = &'a BackendRules>,
        identity: &Identity,
        key: &ArnKey,
    ) -> Self {
        let rules = later
            .filter(|rules| rules.is_synced())
            .flat_map(|rules| rules.candidates(identity, key))
            .take(MAX_LISTED_RULES.saturating_sub(self.outranked.len()));
        self.outranked.extend(matching_sources(rules, identity));
        self
    }
}

/// The maximum number of rules of each kind in an explanation.
const MAX_LISTED_RULES: usize = 5;

/// Returns the sources of the `candidates` whose condition is true for `identity`.
fn matching_sources<'a>(
    candidates: impl Iterator<Item = &'a Rule>,
    identity: &Identity,
) -> impl Iterator<Item = Source> {
    candidates
        .filter(|rule| matches!(rule.condition_holds(identity), Ok(true)))
        .map(|rule| rule.source().clone())
}

fn match_backend(
    rules: &BackendRules,
    identity: &Identity,
    key: &ArnKey,
    skipped_rules: &mut Vec<SkippedRule>,
) -> Option<BackendMatch> {
    let mut candidates = rules.candidates(identity, key);
    let first = candidates.find(|rule| {
        let failure = match rule.condition_holds(identity) {
            Ok(true) => return true,
            Ok(false) => None,
            Err(error) => Some(error.to_string()),
        };
        if skipped_rules.len() < MAX_LISTED_RULES {
            skipped_rules.push(SkippedRule {
                rule: rule.source().clone(),
                failure,
            });
        }
        false
    });
    let check_reserved = |names| rules.check_reserved(names);
    if let Some(rule) = first {
        return Some(BackendMatch {
            matched: MatchedEntry::Rule(rule.source().clone()),
            names: rule
                .resolve_names(identity)
                .and_then(check_reserved)
                .map_err(RulesRefusal::Name),
            outranked: matching_sources(candidates.take(MAX_LISTED_RULES), identity).collect(),
            is_stale: rules.is_stale(),
        });
    }
    let account = identity.account_id();
    rules.maps_account(account).then(|| BackendMatch {
        matched: MatchedEntry::Account {
            backend: rules.backend(),
            account: account.clone(),
        },
        names: check_reserved((identity.arn.canonical().to_string(), Vec::new()))
            .map_err(RulesRefusal::Name),
        outranked: Vec::new(),
        is_stale: rules.is_stale(),
    })
}

#[cfg(test)]
mod tests;
