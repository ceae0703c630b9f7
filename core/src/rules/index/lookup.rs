//! Lookups in the rules of one backend: by identity, and by the subject of another rule.

use crate::arn::{AccountId, ArnKey};
use crate::identity::Identity;
use crate::rules::index::BackendRules;
use crate::rules::near_miss::{self, NearMisses};
use crate::rules::rule::Rule;
use crate::rules::rule_list::{Conflict, RuleList};
use crate::rules::subject::{Subject, SubjectId};

impl BackendRules {
    /// Returns the rules whose subject matches `identity`, in order of precedence.
    ///
    /// The order of subjects is: ID, ARN, pattern, condition without a subject. Of two patterns, the pattern with the
    /// longer literal prefix comes first. Otherwise, the older rule comes first.
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

    /// Adds the near misses of the identity of `account` with the canonical ARN `key`.
    pub(in crate::rules) fn near_misses(
        &self,
        account: &AccountId,
        key: &ArnKey,
        misses: &mut NearMisses,
    ) {
        self.near_miss_index
            .add_differing(&self.by_arn, key, misses);
        near_miss::add_across_segments(
            self.patterns.with_matching_prefix(account, key),
            key,
            misses,
        );
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
        // The index contains patterns by their prefix, which several patterns can share. All other rules are indexed by
        // subject.
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

    /// Returns the rule that shadows the rule at `position`, if there is one. The two rules are a conflict.
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
}

/// Returns whether `rule`, which the index returns for the ARN `key`, matches the ARN. Only patterns can fail to match.
fn is_candidate(rule: &Rule, key: &ArnKey) -> bool {
    match rule.subject() {
        Subject::Pattern(pattern) => pattern.matches(key),
        Subject::Id(_) | Subject::Arn(_) | Subject::Anyone => true,
    }
}
