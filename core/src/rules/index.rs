//! The rules of one backend, indexed for lookups and changed one at a time.
//!
//! The design is explained in [`crate::manual::rule_lookup`].

mod lookup;

use std::sync::Arc;

use crate::arn::{AccountId, ArnKey};
use crate::rules::cow_map::CowMap;
use crate::rules::naming::{NameError, ResolvedNames};
use crate::rules::near_miss::{ArnIndex, NearMissIndex};
use crate::rules::pattern_index::PatternIndex;
use crate::rules::reserved::ReservedPrefixes;
use crate::rules::rule::Rule;
use crate::rules::rule_list::RuleList;
use crate::rules::source::Backend;
use crate::rules::subject::Subject;

/// The rules of one backend. Clones are cheap and do not see later changes.
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
    /// The content of the backend as a whole is invalid.
    Broken,
    /// The whole content of the backend has been applied once.
    Synced,
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

    /// Returns the rules with the prefixes `reserved`, which the names of the rules cannot have.
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

    /// Sets whether the content of the backend as a whole is broken. Has no effect on a synced backend.
    pub fn set_broken(&mut self, is_broken: bool) {
        if !self.is_synced() {
            self.sync_state = if is_broken {
                SyncState::Broken
            } else {
                SyncState::NotSynced
            };
        }
    }

    /// Returns whether the backend has never been synced because its content as a whole is broken.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.sync_state == SyncState::Broken
    }

    /// Returns the rules, marked as stale or not. Stale rules grant no access: the result for an identity that they map
    /// is [`RulesUnavailable::Stale`](crate::rules::RulesUnavailable::Stale).
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

    /// Returns `names`, or an error if one of them has a prefix that this backend cannot use.
    pub(crate) fn check_reserved(&self, names: ResolvedNames) -> Result<ResolvedNames, NameError> {
        self.reserved.check(names)
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
