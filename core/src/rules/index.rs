//! The rules of one backend, indexed for lookups and changed one at a time.

use std::sync::Arc;

use crate::arn::{AccountId, ArnKey};
use crate::identity::Identity;
use crate::rules::cow_map::CowMap;
use crate::rules::naming::{NameError, NameProblem, ResolvedNames};
use crate::rules::near_miss::{self, ArnIndex, NearMissIndex, NearMisses};
use crate::rules::pattern_index::PatternIndex;
use crate::rules::rule::Rule;
use crate::rules::rule_list::{Conflict, RuleList};
use crate::rules::source::Backend;
use crate::rules::subject::{Subject, SubjectId};

/// The rules of one backend. Cloning it is cheap, and a clone does not see later changes.
#[derive(Clone, Debug)]
pub struct BackendRules {
    backend: Backend,
    sync_state: SyncState,
    is_stale: bool,
    by_position: CowMap<Arc<Rule>>,
    by_id: CowMap<RuleList>,
    by_arn: ArnIndex,
    patterns: PatternIndex,
    conditional: RuleList,
    near_miss_index: NearMissIndex,
    accounts: CowMap<AccountId>,
    reserved: Arc<ReservedPrefixes>,
}

/// The sync state of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SyncState {
    /// The backend is not synced yet.
    NotSynced,
    /// The content of the backend is unusable.
    Broken,
    /// The whole content of the backend has been applied once.
    Synced,
}

/// The prefixes that names of one backend may not have (`server.reservedPrefixConfig`, as aws-iam-authenticator has it).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReservedPrefixes {
    /// Of usernames.
    pub usernames: Vec<Box<str>>,
    /// Of groups.
    pub groups: Vec<Box<str>>,
}

impl BackendRules {
    /// Creates the empty rules of a synced backend.
    #[must_use]
    pub fn new(backend: Backend) -> Self {
        Self {
            backend,
            sync_state: SyncState::Synced,
            is_stale: false,
            by_position: CowMap::default(),
            by_id: CowMap::default(),
            by_arn: ArnIndex::default(),
            patterns: PatternIndex::default(),
            conditional: RuleList::default(),
            near_miss_index: NearMissIndex::default(),
            accounts: CowMap::default(),
            reserved: Arc::default(),
        }
    }

    /// Returns the rules with the prefixes `reserved`, which no name of the rules may have.
    #[must_use]
    pub fn with_reserved(self, reserved: ReservedPrefixes) -> Self {
        Self {
            reserved: Arc::new(reserved),
            ..self
        }
    }

    /// Creates the empty rules of a backend that is not synced. Until [`Self::mark_synced`], logins that depend on the
    /// backend are unavailable.
    #[must_use]
    pub fn new_unsynced(backend: Backend) -> Self {
        Self {
            sync_state: SyncState::NotSynced,
            ..Self::new(backend)
        }
    }

    /// Marks the backend as synced: its whole content has been applied once.
    pub fn mark_synced(&mut self) {
        self.sync_state = SyncState::Synced;
    }

    /// Returns whether the whole content of the backend has been applied once.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.sync_state == SyncState::Synced
    }

    /// Marks the content of the backend as broken as a whole, or as no longer broken. Has no effect on a synced backend.
    pub fn set_broken(&mut self, is_broken: bool) {
        if !self.is_synced() {
            self.sync_state = if is_broken {
                SyncState::Broken
            } else {
                SyncState::NotSynced
            };
        }
    }

    /// Returns whether the backend was never synced because its content is broken as a whole.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.sync_state == SyncState::Broken
    }

    /// Returns the rules, marked as stale or not. While they are stale, they grant nothing: an identity that they map is
    /// answered with [`RulesUnavailable::Stale`](crate::rules::RulesUnavailable::Stale).
    #[must_use]
    pub fn with_stale(self, is_stale: bool) -> Self {
        Self { is_stale, ..self }
    }

    /// Returns whether the rules are marked as stale.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// Returns the backend.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Applies `rule`, which replaces the rule at the same position.
    pub fn apply(&mut self, rule: Rule) {
        let rule = Arc::new(rule);
        let position = rule.source().position.clone();
        self.delete(&position);
        self.by_position
            .alter(&position, |_| Some(Arc::clone(&rule)));
        self.update_indexes(&rule, &|rule_list| rule_list.with(&rule));
    }

    /// Removes the rule at `position`. Returns whether there was one.
    pub fn delete(&mut self, position: &str) -> bool {
        let Some(rule) = self.by_position.get(position).cloned() else {
            return false;
        };
        self.by_position.alter(position, |_| None);
        self.update_indexes(&rule, &|rule_list| rule_list.without(&rule));
        true
    }

    /// Removes every rule and account.
    pub fn reset(&mut self) {
        *self = Self {
            sync_state: self.sync_state,
            is_stale: self.is_stale,
            reserved: Arc::clone(&self.reserved),
            ..Self::new(self.backend)
        };
    }

    /// Maps every identity of `account` to its canonical ARN as the username, without groups (`mapAccounts`).
    pub fn apply_account(&mut self, account: AccountId) {
        let key = account.as_str().to_owned();
        self.accounts.alter(&key, |_| Some(account));
    }

    /// Removes the mapping of `account`. Returns whether there was one.
    pub fn delete_account(&mut self, account: &AccountId) -> bool {
        let was_mapped = self.maps_account(account);
        self.accounts.alter(account.as_str(), |_| None);
        was_mapped
    }

    /// Returns whether `mapAccounts` names `account`.
    #[must_use]
    pub fn maps_account(&self, account: &AccountId) -> bool {
        self.accounts.get(account.as_str()).is_some()
    }

    /// Returns the accounts that `mapAccounts` names, sorted.
    #[must_use]
    pub fn accounts(&self) -> Vec<&AccountId> {
        let mut accounts: Vec<&AccountId> = self.accounts.values().collect();
        accounts.sort_unstable();
        accounts
    }

    /// Returns whether a rule names exactly this ARN.
    #[must_use]
    pub fn maps_arn(&self, arn: &ArnKey) -> bool {
        self.by_arn.get(arn.as_str()).is_some()
    }

    /// Returns the number of rules and accounts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_position.len() + self.accounts.len()
    }

    /// Returns whether there are no rules and no accounts.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns all rules, in order of precedence.
    #[must_use]
    pub fn rules(&self) -> Vec<&Rule> {
        let mut rules: Vec<&Rule> = self.by_position.values().map(|rule| &**rule).collect();
        rules.sort_unstable_by(|a, b| a.precedence_key().cmp(&b.precedence_key()));
        rules
    }

    /// Returns the rule at `position`.
    #[must_use]
    pub fn rule(&self, position: &str) -> Option<&Rule> {
        self.by_position.get(position).map(|rule| &**rule)
    }

    /// Returns the other rules for the subject of the rule at `position`, in order of precedence.
    #[must_use]
    pub fn same_subject_rules(&self, position: &str) -> Vec<&Rule> {
        let Some(rule) = self.rule(position) else {
            return Vec::new();
        };
        let peers = match rule.subject() {
            Subject::Id(id) => self.by_id.get(&id.index_key()),
            Subject::Arn(arn) => self.by_arn.get(arn.key().as_str()),
            Subject::Pattern(pattern) => self.patterns.with_same_prefix(pattern),
            Subject::Anyone => None,
        };
        // Patterns are kept by their prefix; the others have their subject as their key.
        let is_alike = |peer: &Rule| match (peer.subject(), rule.subject()) {
            (Subject::Pattern(one), Subject::Pattern(other)) => one.is_equivalent(other),
            _ => true,
        };
        peers
            .into_iter()
            .flat_map(RuleList::iter)
            .filter(|peer| peer.source().position != position && is_alike(peer))
            .collect()
    }

    /// Returns the rule that shadows the rule at `position`, if any: the two are a conflict.
    #[must_use]
    pub fn shadowing_rule(&self, position: &str) -> Option<&Rule> {
        let shadowed_rule = self.rule(position)?;
        let rivals = self.same_subject_rules(position);
        rivals
            .into_iter()
            .find(|rival| !rival.has_condition())
            .filter(|rival| rival.precedence_key() < shadowed_rule.precedence_key())
    }

    /// Returns the shadowed rules, each with the rule that shadows it.
    #[must_use]
    pub fn conflicts(&self) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        let subjects = self.by_id.values().chain(self.by_arn.values());
        for rules in subjects.chain(self.patterns.values()) {
            conflicts.extend(rules.conflicts());
        }
        conflicts.sort_unstable();
        conflicts
    }

    /// Returns the rules whose subject is `identity`, in order of precedence: an id before an ARN before a
    /// pattern before a condition alone; of two patterns the longer literal prefix; else the older.
    pub(crate) fn candidates<'a>(
        &'a self,
        identity: &Identity,
        key: &'a ArnKey,
    ) -> impl Iterator<Item = &'a Rule> {
        let ids = SubjectId::from_identity(identity).and_then(|id| self.by_id.get(&id.index_key()));
        let arns = self.by_arn.get(key.as_str());
        let exact = [ids, arns].into_iter().flatten();
        let patterns = self
            .patterns
            .with_matching_prefix(identity.account_id(), key);
        exact
            .chain(patterns)
            .chain([&self.conditional])
            .flat_map(RuleList::iter)
            .filter(|rule| is_candidate(rule, key))
    }

    /// Returns the rules whose pattern matches `key`, an ARN of `account`, in order of precedence.
    pub fn matching_patterns<'a>(
        &'a self,
        account: &AccountId,
        key: &'a ArnKey,
    ) -> impl Iterator<Item = &'a Rule> {
        self.patterns
            .with_matching_prefix(account, key)
            .flat_map(RuleList::iter)
            .filter(|rule| is_candidate(rule, key))
    }

    /// Adds the rules that nearly match the identity of `account` with the canonical ARN `key`.
    pub(super) fn near_misses(&self, account: &AccountId, key: &ArnKey, misses: &mut NearMisses) {
        self.near_miss_index
            .add_differing(&self.by_arn, key, misses);
        near_miss::add_across_segments(
            self.patterns.with_matching_prefix(account, key),
            key,
            misses,
        );
    }

    /// Returns `names`, or an error if one of them has a prefix that is reserved from this backend.
    pub(crate) fn check_reserved(&self, names: ResolvedNames) -> Result<ResolvedNames, NameError> {
        let (username, groups) = &names;
        let ReservedPrefixes {
            usernames: reserved_usernames,
            groups: reserved_groups,
        } = &*self.reserved;
        let refused = |field: String, prefix: &str| {
            let problem = NameProblem::ReservedForOthers(prefix.into());
            Err(NameError { field, problem })
        };
        if let Some(prefix) = reserved_prefix(username, reserved_usernames) {
            return refused("username".to_owned(), prefix);
        }
        for (index, group) in groups.iter().enumerate() {
            if let Some(prefix) = reserved_prefix(group, reserved_groups) {
                return refused(format!("groups[{index}]"), prefix);
            }
        }
        Ok(names)
    }

    fn update_indexes(&mut self, rule: &Rule, change: &dyn Fn(&RuleList) -> RuleList) {
        let alter = |old: Option<&RuleList>| {
            let new = change(old.unwrap_or(&RuleList::None));
            (!matches!(new, RuleList::None)).then_some(new)
        };
        match rule.subject() {
            Subject::Id(id) => self.by_id.alter(&id.index_key(), alter),
            Subject::Arn(arn) => {
                let key = arn.key();
                self.by_arn.alter(key.as_str(), alter);
                self.near_miss_index.alter(&key, alter);
            }
            Subject::Pattern(pattern) => self.patterns.alter(pattern, alter),
            Subject::Anyone => self.conditional = change(&self.conditional),
        }
    }
}

/// Returns whether a rule that the index gives for the ARN `key` matches it: a pattern need not.
fn is_candidate(rule: &Rule, key: &ArnKey) -> bool {
    match rule.subject() {
        Subject::Pattern(pattern) => pattern.matches(key),
        Subject::Id(_) | Subject::Arn(_) | Subject::Anyone => true,
    }
}

/// Returns the prefix of `prefixes` that `name` starts with; as with `system:`, leading space is ignored.
fn reserved_prefix<'a>(name: &str, prefixes: &'a [Box<str>]) -> Option<&'a str> {
    let names = [name, name.trim_start()];
    let is_prefix = |prefix: &&str| names.iter().any(|name| name.starts_with(prefix));
    prefixes.iter().map(|prefix| &**prefix).find(is_prefix)
}
