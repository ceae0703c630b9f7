//! Patterns by how they start: of the many that a backend may have, few need to be tried.

use std::sync::Arc;

use crate::arn::{AccountId, ArnKey};
use crate::rules::pattern::Pattern;
use crate::rules::ranked::Ranked;
use crate::rules::sharded::ShardedMap;

/// The rules of one backend that are about a pattern.
#[derive(Clone, Debug, Default)]
pub(super) struct PatternIndex {
    /// By the text before the first wildcard, which holds the account.
    by_prefix: ShardedMap<Ranked>,
    /// By account: how long those texts are, the longest first, and how many of them are so long.
    lengths: ShardedMap<Arc<[(usize, usize)]>>,
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
                let mut lengths = lengths.map_or_else(Vec::new, |lengths| lengths.to_vec());
                let place = lengths.partition_point(|(length, _)| *length > prefix.len());
                match lengths.get_mut(place) {
                    Some((length, prefixes)) if *length == prefix.len() => {
                        *prefixes = prefixes.saturating_add_signed(if is_there { 1 } else { -1 });
                    }
                    _ => lengths.insert(place, (prefix.len(), 1)),
                }
                lengths.retain(|(_, prefixes)| *prefixes > 0);
                (!lengths.is_empty()).then(|| lengths.into())
            });
        }
    }

    /// The rules whose pattern starts as `key`, an ARN of `account`, does: the longer literal prefix first.
    pub(super) fn starting_like<'a>(
        &'a self,
        account: &AccountId,
        key: &'a ArnKey,
    ) -> impl Iterator<Item = &'a Ranked> {
        let lengths = self.lengths.get(account.as_str());
        lengths
            .map_or(&[][..], |lengths| lengths)
            .iter()
            .filter_map(|(length, _)| self.by_prefix.get(key.as_str().get(..*length)?))
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

#[cfg(test)]
mod tests;
