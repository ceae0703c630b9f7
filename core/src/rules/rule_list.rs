//! The rules of one index entry, in order of precedence.

use std::slice;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::rules::rule::Rule;
use crate::rules::source::Source;

/// Two rules of one backend for the same subject, one of which shadows the other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// The shadowed rule, which is never used.
    pub shadowed: Source,
    /// The rule that shadows the other rule.
    pub shadowed_by: Source,
}

/// The maximum size of a chunk. A change of a long list copies one chunk and the list of chunks.
const MAX_CHUNK: usize = 256;

/// A list of rules in order of precedence. A list of one rule, the most frequent case, needs no further allocation.
#[derive(Clone, Debug, Default)]
pub(super) enum RuleList {
    #[default]
    None,
    One(Arc<Rule>),
    /// The list consists of chunks, none of which is empty.
    Several(Arc<Vec<Chunk>>),
}

type Chunk = Arc<[Arc<Rule>]>;

impl RuleList {
    /// Returns an iterator in order of precedence.
    pub(super) fn iter(&self) -> RuleListIter<'_> {
        let (chunk, later) = match self {
            Self::None => (&[][..], &[][..]),
            Self::One(rule) => (slice::from_ref(rule), &[][..]),
            Self::Several(chunks) => (&[][..], chunks.as_slice()),
        };
        RuleListIter {
            chunk: chunk.iter(),
            later: later.iter(),
        }
    }

    /// Returns the list with `rule`.
    pub(super) fn with(&self, rule: &Arc<Rule>) -> Self {
        let mut chunks = match self {
            Self::None => return Self::One(Arc::clone(rule)),
            Self::One(other) => vec![Chunk::from([Arc::clone(other)])],
            Self::Several(chunks) => chunks.to_vec(),
        };
        let chunk_index = find_chunk(&chunks, rule).min(chunks.len() - 1);
        if let Some(chunk) = chunks.get_mut(chunk_index) {
            let mut rules = chunk.to_vec();
            let index =
                rules.partition_point(|other| other.precedence_key() < rule.precedence_key());
            rules.insert(index, Arc::clone(rule));
            let rest = (rules.len() > MAX_CHUNK).then(|| rules.split_off(MAX_CHUNK / 2));
            *chunk = rules.into();
            if let Some(rest) = rest {
                chunks.insert(chunk_index + 1, rest.into());
            }
        }
        Self::Several(Arc::new(chunks))
    }

    /// Returns the list without `rule`. The list must contain `rule`.
    pub(super) fn without(&self, rule: &Rule) -> Self {
        let Self::Several(chunks) = self else {
            return Self::None;
        };
        let mut chunks = chunks.to_vec();
        let chunk_index = find_chunk(&chunks, rule);
        if let Some(chunk) = chunks.get_mut(chunk_index) {
            let others = chunk
                .iter()
                .filter(|other| other.precedence_key() != rule.precedence_key());
            *chunk = others.cloned().collect();
            if chunk.is_empty() {
                chunks.remove(chunk_index);
            }
        }
        match chunks.as_slice() {
            [] => Self::None,
            [chunk] if let [rule] = &**chunk => Self::One(Arc::clone(rule)),
            _ => Self::Several(Arc::new(chunks)),
        }
    }

    /// Returns the shadowed rules. A rule with a condition shadows no other rule.
    pub(super) fn conflicts(&self) -> Vec<Conflict> {
        let mut winners: HashMap<String, &Source, FixedState> = HashMap::default();
        let mut conflicts = Vec::new();
        if let Self::Several(_) = self {
            for rule in self.iter() {
                let subject = rule.subject().to_string().to_ascii_lowercase();
                if let Some(winner) = winners.get(&subject) {
                    conflicts.push(Conflict {
                        shadowed: rule.source().clone(),
                        shadowed_by: (*winner).clone(),
                    });
                } else if !rule.has_condition() {
                    winners.insert(subject, rule.source());
                }
            }
        }
        conflicts
    }
}

/// An iterator over a [`RuleList`].
pub(super) struct RuleListIter<'a> {
    chunk: slice::Iter<'a, Arc<Rule>>,
    later: slice::Iter<'a, Chunk>,
}

impl<'a> Iterator for RuleListIter<'a> {
    type Item = &'a Rule;

    fn next(&mut self) -> Option<&'a Rule> {
        loop {
            if let Some(rule) = self.chunk.next() {
                return Some(rule);
            }
            self.chunk = self.later.next()?.iter();
        }
    }
}

/// Returns the index of the chunk that contains `rule` or that `rule` belongs in. Returns the number of chunks if
/// `rule` follows all rules of the list.
fn find_chunk(chunks: &[Chunk], rule: &Rule) -> usize {
    chunks.partition_point(|chunk| {
        chunk
            .last()
            .is_some_and(|last| last.precedence_key() < rule.precedence_key())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::mapping::{Mapping, Precedence};
    use crate::rules::source::Backend;

    fn rule(list_index: usize) -> Arc<Rule> {
        let source = Source {
            backend: Backend::Crd,
            position: format!("rule-{list_index}"),
        };
        let precedence = Precedence::ListIndex(list_index);
        let mapping = Mapping::for_arn(source, precedence, "acs:ram::1:user/a", "a", Vec::new());
        Arc::new(Rule::compile(mapping).unwrap())
    }

    fn precedences(rules: &RuleList) -> Vec<Precedence> {
        rules.iter().map(|rule| rule.precedence_key().0).collect()
    }

    #[test]
    fn rule_list_change_copies_one_chunk() {
        let list_index = |index: usize| index * 7_919 % 10_000;
        let many = (0..10_000).fold(RuleList::None, |rules, index| {
            rules.with(&rule(2 * list_index(index)))
        });
        let (RuleList::Several(before), changes) =
            (&many, [many.with(&rule(41)), many.without(&rule(42))])
        else {
            panic!("{many:?}");
        };
        for change in changes {
            let RuleList::Several(after) = change else {
                panic!("{change:?}");
            };
            let is_new = |chunk: &&Chunk| !before.iter().any(|old| Arc::ptr_eq(old, chunk));
            assert!(after.iter().filter(is_new).count() <= 2);
            assert!(after.iter().all(|chunk| chunk.len() <= MAX_CHUNK));
            assert!(after.len() < 2 * 10_000 / MAX_CHUNK + 2);
        }
    }

    /// Adds and removes rules out of order, for sizes around those at which the representation changes.
    #[test]
    fn rule_list_keeps_order_across_changes() {
        for size in [0, 1, 2, 255, 256, 257, 1_000] {
            // The step 7,919 is coprime to each size, so it visits every index.
            let order = || (0..size).map(|index| index * 7_919 % size);
            let all = order().fold(RuleList::None, |rules, list_index| {
                rules.with(&rule(list_index))
            });
            let expected: Vec<Precedence> = (0..size).map(Precedence::ListIndex).collect();
            assert_eq!(precedences(&all), expected, "{size}");

            let (removed, kept): (Vec<_>, Vec<_>) =
                order().partition(|list_index| list_index % 3 != 0);
            let rest = removed.iter().fold(all.clone(), |rules, list_index| {
                rules.without(&rule(*list_index))
            });
            let expected: Vec<Precedence> =
                (0..size).step_by(3).map(Precedence::ListIndex).collect();
            assert_eq!(precedences(&rest), expected, "{size}");
            assert_eq!(all.iter().count(), size, "the clone is unchanged");

            let none = kept
                .iter()
                .fold(rest, |rules, list_index| rules.without(&rule(*list_index)));
            assert!(matches!(none, RuleList::None), "{size}");
        }
    }

    #[test]
    fn rule_list_size_determines_representation() {
        let two = RuleList::None.with(&rule(1)).with(&rule(2));
        assert!(matches!(&two, RuleList::Several(chunks) if chunks.len() == 1));
        for place in [1, 2] {
            let one = two.without(&rule(place));
            assert!(matches!(one, RuleList::One(_)), "{one:?}");
            assert_eq!(precedences(&one), [Precedence::ListIndex(3 - place)]);
        }
        let half = MAX_CHUNK / 2;
        for (count, expected) in [
            (MAX_CHUNK, &[MAX_CHUNK][..]),
            (MAX_CHUNK + 1, &[half, half + 1]),
        ] {
            let many = (0..count).fold(RuleList::None, |rules, place| rules.with(&rule(place)));
            let RuleList::Several(chunks) = many else {
                panic!("{many:?}");
            };
            let sizes: Vec<usize> = chunks.iter().map(|chunk| chunk.len()).collect();
            assert_eq!(sizes, expected);
        }
    }
}
