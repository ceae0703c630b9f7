//! An index of patterns by their literal prefix, so that a lookup tries only a few patterns of a backend.

use std::sync::Arc;

use crate::arn::{AccountId, ArnKey};
use crate::rules::cow_map::CowMap;
use crate::rules::pattern::Pattern;
use crate::rules::rule_list::RuleList;

/// The index of the rules of one backend whose subject is a pattern.
#[derive(Clone, Debug, Default)]
pub(super) struct PatternIndex {
    /// The rules by the text before the first wildcard, which includes the account.
    by_prefix: CowMap<RuleList>,
    /// The lengths of the prefixes by account, the longest first, each with the number of prefixes of that length.
    lengths: CowMap<Arc<[(usize, usize)]>>,
}

impl PatternIndex {
    /// Applies `change` to the rules with the literal prefix of `pattern`.
    pub(super) fn alter(
        &mut self,
        pattern: &Pattern,
        change: impl FnOnce(Option<&RuleList>) -> Option<RuleList>,
    ) {
        let prefix = pattern.prefix();
        let was_present = self.by_prefix.get(prefix).is_some();
        self.by_prefix.alter(prefix, change);
        let is_present = self.by_prefix.get(prefix).is_some();
        if was_present != is_present {
            let account = pattern.account().as_str();
            self.lengths.alter(account, |lengths| {
                let mut lengths = lengths.map_or_else(Vec::new, |lengths| lengths.to_vec());
                let index = lengths.partition_point(|(length, _)| *length > prefix.len());
                match lengths.get_mut(index) {
                    Some((length, prefixes)) if *length == prefix.len() => {
                        *prefixes = prefixes.saturating_add_signed(if is_present { 1 } else { -1 });
                    }
                    _ => lengths.insert(index, (prefix.len(), 1)),
                }
                lengths.retain(|(_, prefixes)| *prefixes > 0);
                (!lengths.is_empty()).then(|| lengths.into())
            });
        }
    }

    /// Returns the rules whose literal prefix is a prefix of `key`, an ARN of `account`. Longer prefixes come first.
    pub(super) fn with_matching_prefix<'a>(
        &'a self,
        account: &AccountId,
        key: &'a ArnKey,
    ) -> impl Iterator<Item = &'a RuleList> {
        let lengths = self.lengths.get(account.as_str());
        lengths
            .map_or(&[][..], |lengths| lengths)
            .iter()
            .filter_map(|(length, _)| self.by_prefix.get(key.as_str().get(..*length)?))
    }

    /// Returns the rules with the literal prefix of `pattern`, in order of precedence.
    pub(super) fn with_same_prefix(&self, pattern: &Pattern) -> Option<&RuleList> {
        self.by_prefix.get(pattern.prefix())
    }

    /// Returns all rules, grouped by prefix, in arbitrary order.
    pub(super) fn values(&self) -> impl Iterator<Item = &RuleList> {
        self.by_prefix.values()
    }
}

#[cfg(test)]
mod tests;
