//! Patterns by how they start: of the many that a backend may have, few need to be tried.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::arn::{AccountId, ArnKey};
use crate::rules::mapping::Rule;
use crate::rules::pattern::Pattern;
use crate::rules::ranked::Ranked;
use crate::rules::sharded::ShardedMap;
use crate::rules::subject::Subject;

/// The rules of one backend that are about a pattern.
#[derive(Clone, Debug, Default)]
pub(super) struct PatternIndex {
    /// By the text before the first wildcard, which holds the account.
    by_prefix: ShardedMap<Ranked>,
    /// By account: how long those texts are, and how many of them are so long.
    lengths: ShardedMap<Arc<BTreeMap<usize, usize>>>,
}

impl PatternIndex {
    /// Puts in place of the rules that start as `pattern` does what `change` makes of them.
    pub(super) fn alter(
        &mut self,
        pattern: &Pattern,
        change: impl FnOnce(Option<&Ranked>) -> Option<Ranked>,
    ) {
        let prefix = pattern.prefix();
        let was_there = self.by_prefix.get(prefix).is_some();
        self.by_prefix.alter(prefix, change);
        let is_there = self.by_prefix.get(prefix).is_some();
        if was_there != is_there {
            let account = pattern.account().as_str();
            self.lengths.alter(account, |lengths| {
                let mut lengths = lengths.map_or_else(BTreeMap::new, |lengths| (**lengths).clone());
                let prefixes = lengths.entry(prefix.len()).or_default();
                *prefixes = prefixes.saturating_add_signed(if is_there { 1 } else { -1 });
                lengths.retain(|_, prefixes| *prefixes > 0);
                (!lengths.is_empty()).then(|| Arc::new(lengths))
            });
        }
    }

    /// The rules whose pattern starts as `key`, an ARN of `account`, does: the longer literal prefix first, then the
    /// older rule.
    pub(super) fn starting_like<'a>(
        &'a self,
        account: &AccountId,
        key: &'a ArnKey,
    ) -> impl Iterator<Item = (&'a Rule, &'a Pattern)> {
        let lengths = self.lengths.get(account.as_str());
        lengths
            .into_iter()
            .flat_map(|lengths| lengths.keys().rev())
            .filter_map(|length| self.by_prefix.get(key.as_str().get(..*length)?))
            .flat_map(Ranked::iter)
            .filter_map(with_pattern)
    }

    /// The rules that start as `pattern` does, the older first.
    pub(super) fn with_prefix_of(&self, pattern: &Pattern) -> Option<&Ranked> {
        self.by_prefix.get(pattern.prefix())
    }

    /// All rules, those of one prefix together, in no order that may be shown.
    pub(super) fn values(&self) -> impl Iterator<Item = &Ranked> {
        self.by_prefix.values()
    }
}

fn with_pattern(rule: &Rule) -> Option<(&Rule, &Pattern)> {
    match rule.subject() {
        Subject::Pattern(pattern) => Some((rule, pattern)),
        Subject::Id(_) | Subject::Arn(_) | Subject::Anyone => None,
    }
}
