//! The rules of one backend, found fast and changed one at a time.

use std::sync::Arc;

use crate::arn::{AccountId, ArnKey};
use crate::identity::Identity;
use crate::rules::Names;
use crate::rules::mapping::{Backend, Rule, Source};
use crate::rules::naming::{NameError, NameProblem};
use crate::rules::near::{self, ByArn, Misses, NearIndex};
use crate::rules::patterns::PatternIndex;
use crate::rules::ranked::Ranked;
use crate::rules::sharded::ShardedMap;
use crate::rules::subject::{Subject, SubjectId};

/// The rules of one backend. Cloning it is cheap, and a clone does not see later changes.
#[derive(Clone, Debug)]
pub struct BackendRules {
    backend: Backend,
    reading: Reading,
    is_stale: bool,
    by_name: ShardedMap<Arc<Rule>>,
    by_id: ShardedMap<Ranked>,
    by_arn: ByArn,
    patterns: PatternIndex,
    conditional: Ranked,
    near: NearIndex,
    accounts: ShardedMap<AccountId>,
    reserved: Arc<ReservedPrefixes>,
}

/// What has come of reading a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// It has not been read.
    Unread,
    /// It was read, and cannot be used.
    Broken,
    /// Everything that it holds has been applied once.
    Read,
}

/// What names of one backend may not start with (`server.reservedPrefixConfig`, as aws-iam-authenticator has it).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReservedPrefixes {
    /// Of usernames.
    pub usernames: Vec<Box<str>>,
    /// Of groups.
    pub groups: Vec<Box<str>>,
}

impl BackendRules {
    /// No rules yet.
    #[must_use]
    pub fn new(backend: Backend) -> Self {
        Self {
            backend,
            reading: Reading::Read,
            is_stale: false,
            by_name: ShardedMap::default(),
            by_id: ShardedMap::default(),
            by_arn: ByArn::default(),
            patterns: PatternIndex::default(),
            conditional: Ranked::default(),
            near: NearIndex::default(),
            accounts: ShardedMap::default(),
            reserved: Arc::default(),
        }
    }

    /// The same rules, none of which may give a name that starts with one of `reserved`.
    #[must_use]
    pub fn with_reserved(self, reserved: ReservedPrefixes) -> Self {
        Self {
            reserved: Arc::new(reserved),
            ..self
        }
    }

    /// No rules yet, of a backend that has not been read: until [`Self::mark_read`], nobody is told what it would say.
    #[must_use]
    pub fn unread(backend: Backend) -> Self {
        Self {
            reading: Reading::Unread,
            ..Self::new(backend)
        }
    }

    /// Everything that the backend holds has been applied once.
    pub fn mark_read(&mut self) {
        self.reading = Reading::Read;
    }

    /// Whether everything that the backend holds has been applied once.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.reading == Reading::Read
    }

    /// What the backend holds is broken as a whole, or no longer is. That changes nothing once it has been read.
    pub fn mark_broken(&mut self, is_broken: bool) {
        if !self.is_read() {
            self.reading = if is_broken {
                Reading::Broken
            } else {
                Reading::Unread
            };
        }
    }

    /// Whether nothing has ever been applied, since what the backend holds is broken as a whole.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.reading == Reading::Broken
    }

    /// The same rules, marked as stale or not. While they are stale, [`RuleSet::decide`](crate::rules::RuleSet::decide)
    /// grants nothing by them: an identity that they map is answered with
    /// [`Inability::BackendStale`](crate::decision::Inability::BackendStale).
    #[must_use]
    pub fn with_stale(self, is_stale: bool) -> Self {
        Self { is_stale, ..self }
    }

    /// Returns whether the rules are marked as stale.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// Which backend it is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// Puts `rule` in force, in place of the one at the same position if there is one.
    pub fn apply(&mut self, rule: Rule) {
        let rule = Arc::new(rule);
        let name = rule.source().position.clone();
        self.delete(&name);
        self.by_name.alter(&name, |_| Some(Arc::clone(&rule)));
        self.change_indexes(&rule, &|ranked| ranked.with(&rule));
    }

    /// Removes the rule at `position`. Whether there was one.
    pub fn delete(&mut self, position: &str) -> bool {
        let Some(rule) = self.by_name.get(position).cloned() else {
            return false;
        };
        self.by_name.alter(position, |_| None);
        self.change_indexes(&rule, &|ranked| ranked.without(&rule));
        true
    }

    /// Removes every rule and account.
    pub fn reset(&mut self) {
        *self = Self {
            reading: self.reading,
            is_stale: self.is_stale,
            reserved: Arc::clone(&self.reserved),
            ..Self::new(self.backend)
        };
    }

    /// Lets every identity of `account` in under its own canonical ARN, without groups (`mapAccounts`).
    pub fn apply_account(&mut self, account: AccountId) {
        let key = account.as_str().to_owned();
        self.accounts.alter(&key, |_| Some(account));
    }

    /// Takes that back. Whether it was so.
    pub fn delete_account(&mut self, account: &AccountId) -> bool {
        let was = self.maps_account(account);
        self.accounts.alter(account.as_str(), |_| None);
        was
    }

    /// Whether `mapAccounts` names `account`.
    #[must_use]
    pub fn maps_account(&self, account: &AccountId) -> bool {
        self.accounts.get(account.as_str()).is_some()
    }

    /// The accounts that `mapAccounts` names, in their order.
    #[must_use]
    pub fn accounts(&self) -> Vec<&AccountId> {
        let mut accounts: Vec<&AccountId> = self.accounts.values().collect();
        accounts.sort_unstable();
        accounts
    }

    /// Whether a rule names exactly this ARN.
    #[must_use]
    pub fn maps_arn(&self, arn: &ArnKey) -> bool {
        self.by_arn.get(arn.as_str()).is_some()
    }

    /// How many rules and accounts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len() + self.accounts.len()
    }

    /// Whether nobody is mapped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All rules, by position.
    #[must_use]
    pub fn rules(&self) -> Vec<&Rule> {
        let mut rules: Vec<&Rule> = self.by_name.values().map(|rule| &**rule).collect();
        rules.sort_unstable_by(|a, b| a.rank().cmp(&b.rank()));
        rules
    }

    /// The rule at `position`.
    #[must_use]
    pub fn rule(&self, position: &str) -> Option<&Rule> {
        self.by_name.get(position).map(|rule| &**rule)
    }

    /// The other rules for the subject of the one at `position`, in the order in which they answer.
    #[must_use]
    pub fn rivals(&self, position: &str) -> Vec<&Rule> {
        let Some(rule) = self.rule(position) else {
            return Vec::new();
        };
        let peers = match rule.subject() {
            Subject::Id(id) => self.by_id.get(&id.key()),
            Subject::Arn(arn) => self.by_arn.get(arn.key().as_str()),
            Subject::Pattern(pattern) => self.patterns.with_prefix_of(pattern),
            Subject::Anyone => None,
        };
        // Patterns are kept by their prefix; the others have their subject as their key.
        let is_alike = |peer: &Rule| match (peer.subject(), rule.subject()) {
            (Subject::Pattern(one), Subject::Pattern(other)) => one.is_alike(other),
            _ => true,
        };
        peers
            .into_iter()
            .flat_map(Ranked::iter)
            .filter(|peer| peer.source().position != position && is_alike(peer))
            .collect()
    }

    /// The rule that always answers in place of the one at `position`, if there is one: the two are a conflict.
    #[must_use]
    pub fn winner_over(&self, position: &str) -> Option<&Rule> {
        let loser = self.rule(position)?;
        let rivals = self.rivals(position);
        rivals
            .into_iter()
            .find(|rival| !rival.has_condition())
            .filter(|rival| rival.rank() < loser.rank())
    }

    /// Rules for one and the same subject: each with the one that answers in its place.
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

    /// The rules whose subject is `identity`, the one that answers first at the head: an id before an ARN before a
    /// pattern before a condition alone; of two patterns the longer literal prefix; else the older.
    pub(crate) fn candidates<'a>(
        &'a self,
        identity: &Identity,
        key: &'a ArnKey,
    ) -> impl Iterator<Item = &'a Rule> {
        let ids = SubjectId::of(identity).and_then(|id| self.by_id.get(&id.key()));
        let arns = self.by_arn.get(key.as_str());
        let exact = [ids, arns].into_iter().flatten();
        let patterns = self.patterns.starting_like(identity.account_id(), key);
        exact
            .chain(patterns)
            .chain([&self.conditional])
            .flat_map(Ranked::iter)
            .filter(|rule| is_candidate(rule, key))
    }

    /// The rules whose pattern matches `key`, an ARN of `account`, in the order in which they answer.
    #[cfg(feature = "lint")]
    pub(crate) fn matching_patterns<'a>(
        &'a self,
        account: &AccountId,
        key: &'a ArnKey,
    ) -> impl Iterator<Item = &'a Rule> {
        self.patterns
            .starting_like(account, key)
            .flat_map(Ranked::iter)
            .filter(|rule| is_candidate(rule, key))
    }

    /// Adds the rules that nearly speak for the identity of `account` with the canonical ARN `key`.
    pub(super) fn near_misses(&self, account: &AccountId, key: &ArnKey, misses: &mut Misses) {
        self.near.differing(&self.by_arn, key, misses);
        near::across_segments(self.patterns.starting_like(account, key), key, misses);
    }

    /// `names`, unless one of them is reserved from this backend.
    pub(crate) fn unreserved(&self, names: Names) -> Result<Names, NameError> {
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

    fn change_indexes(&mut self, rule: &Rule, change: &dyn Fn(&Ranked) -> Ranked) {
        let alter = |old: Option<&Ranked>| {
            let new = change(old.unwrap_or(&Ranked::None));
            (!matches!(new, Ranked::None)).then_some(new)
        };
        match rule.subject() {
            Subject::Id(id) => self.by_id.alter(&id.key(), alter),
            Subject::Arn(arn) => {
                let key = arn.key();
                self.by_arn.alter(key.as_str(), alter);
                self.near.alter(&key, alter);
            }
            Subject::Pattern(pattern) => self.patterns.alter(pattern, alter),
            Subject::Anyone => self.conditional = change(&self.conditional),
        }
    }
}

/// Whether a rule that was found for the ARN `key` is about it: a pattern need not be.
fn is_candidate(rule: &Rule, key: &ArnKey) -> bool {
    match rule.subject() {
        Subject::Pattern(pattern) => pattern.matches(key),
        Subject::Id(_) | Subject::Arn(_) | Subject::Anyone => true,
    }
}

/// The one of `prefixes` that `name` starts with; as with `system:`, space before it takes nothing away.
fn reserved_prefix<'a>(name: &str, prefixes: &'a [Box<str>]) -> Option<&'a str> {
    let names = [name, name.trim_start()];
    let is_of = |prefix: &&str| names.iter().any(|name| name.starts_with(prefix));
    prefixes.iter().map(|prefix| &**prefix).find(is_of)
}

/// Two rules of one backend for the same subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// The later one, which never answers.
    pub loser: Source,
    /// The one that answers.
    pub winner: Source,
}
