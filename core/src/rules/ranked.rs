//! Rules of one place in an index, in the order in which they answer.

use std::slice;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::rules::index::Conflict;
use crate::rules::mapping::{Rule, Source};

/// Changing a long list copies one chunk, and the list of chunks.
const MAX_CHUNK: usize = 256;

/// Nearly always there is one rule, so that one takes little room in an index.
#[derive(Clone, Debug, Default)]
pub(super) enum Ranked {
    #[default]
    None,
    One(Arc<Rule>),
    /// No chunk is empty.
    Several(Arc<Vec<Chunk>>),
}

type Chunk = Arc<[Arc<Rule>]>;

impl Ranked {
    /// The oldest first.
    pub(super) fn iter(&self) -> Rules<'_> {
        let (chunk, later) = match self {
            Self::None => (&[][..], &[][..]),
            Self::One(rule) => (slice::from_ref(rule), &[][..]),
            Self::Several(chunks) => (&[][..], chunks.as_slice()),
        };
        Rules {
            chunk: chunk.iter(),
            later: later.iter(),
        }
    }

    /// These and `rule`.
    pub(super) fn with(&self, rule: &Arc<Rule>) -> Self {
        let mut chunks = match self {
            Self::None => return Self::One(Arc::clone(rule)),
            Self::One(other) => vec![Chunk::from([Arc::clone(other)])],
            Self::Several(chunks) => chunks.to_vec(),
        };
        let place = chunk_of(&chunks, rule).min(chunks.len() - 1);
        if let Some(chunk) = chunks.get_mut(place) {
            let mut rules = chunk.to_vec();
            let index = rules.partition_point(|other| other.rank() < rule.rank());
            rules.insert(index, Arc::clone(rule));
            let rest = (rules.len() > MAX_CHUNK).then(|| rules.split_off(MAX_CHUNK / 2));
            *chunk = rules.into();
            if let Some(rest) = rest {
                chunks.insert(place + 1, rest.into());
            }
        }
        Self::Several(Arc::new(chunks))
    }

    /// These but `rule`, which is one of them.
    pub(super) fn without(&self, rule: &Rule) -> Self {
        let Self::Several(chunks) = self else {
            return Self::None;
        };
        let mut chunks = chunks.to_vec();
        let place = chunk_of(&chunks, rule);
        if let Some(chunk) = chunks.get_mut(place) {
            let others = chunk.iter().filter(|other| other.rank() != rule.rank());
            *chunk = others.cloned().collect();
            if chunk.is_empty() {
                chunks.remove(place);
            }
        }
        match chunks.as_slice() {
            [] => Self::None,
            [chunk] if let [rule] = &**chunk => Self::One(Arc::clone(rule)),
            _ => Self::Several(Arc::new(chunks)),
        }
    }

    /// A rule with a condition leaves to the next whom it does not want.
    pub(super) fn conflicts(&self) -> Vec<Conflict> {
        let mut winners: HashMap<String, &Source, FixedState> = HashMap::default();
        let mut conflicts = Vec::new();
        if let Self::Several(_) = self {
            for rule in self.iter() {
                let subject = rule.subject().to_string().to_ascii_lowercase();
                if let Some(winner) = winners.get(&subject) {
                    conflicts.push(Conflict {
                        loser: rule.source().clone(),
                        winner: (*winner).clone(),
                    });
                } else if !rule.has_condition() {
                    winners.insert(subject, rule.source());
                }
            }
        }
        conflicts
    }
}

/// Rules in the order in which they answer.
pub(super) struct Rules<'a> {
    chunk: slice::Iter<'a, Arc<Rule>>,
    later: slice::Iter<'a, Chunk>,
}

impl<'a> Iterator for Rules<'a> {
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

/// The chunk that `rule` is in, or belongs into; the one after the last when it is younger than all.
fn chunk_of(chunks: &[Chunk], rule: &Rule) -> usize {
    chunks.partition_point(|chunk| chunk.last().is_some_and(|last| last.rank() < rule.rank()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::mapping::{Age, Backend, Mapping};

    fn rule(place: usize) -> Arc<Rule> {
        let source = Source {
            backend: Backend::Crd,
            position: format!("rule-{place}"),
        };
        let age = Age::Place(place);
        let mapping = Mapping::exact(source, age, "acs:ram::1:user/a", "a", Vec::new());
        Arc::new(Rule::compile(mapping).unwrap())
    }

    fn places(ranked: &Ranked) -> Vec<Age> {
        ranked.iter().map(|rule| rule.rank().0).collect()
    }

    #[test]
    fn a_change_of_many_copies_one_chunk() {
        let place = |index: usize| index * 7_919 % 10_000;
        let many = (0..10_000).fold(Ranked::None, |ranked, index| {
            ranked.with(&rule(2 * place(index)))
        });
        let (Ranked::Several(before), changes) =
            (&many, [many.with(&rule(41)), many.without(&rule(42))])
        else {
            panic!("{many:?}");
        };
        for change in changes {
            let Ranked::Several(after) = change else {
                panic!("{change:?}");
            };
            let is_new = |chunk: &&Chunk| !before.iter().any(|old| Arc::ptr_eq(old, chunk));
            assert!(after.iter().filter(is_new).count() <= 2);
            assert!(after.iter().all(|chunk| chunk.len() <= MAX_CHUNK));
            assert!(after.len() < 2 * 10_000 / MAX_CHUNK + 2);
        }
    }

    /// Rules come and go in an order that is far from theirs, across the sizes at which the form changes.
    #[test]
    fn the_order_is_kept_whatever_comes_and_goes() {
        for size in [0, 1, 2, 255, 256, 257, 1_000] {
            // 7,919 has no divisor in common with a size.
            let order = || (0..size).map(|index| index * 7_919 % size);
            let all = order().fold(Ranked::None, |ranked, place| ranked.with(&rule(place)));
            let expected: Vec<Age> = (0..size).map(Age::Place).collect();
            assert_eq!(places(&all), expected, "{size}");

            let (gone, kept): (Vec<_>, Vec<_>) = order().partition(|place| place % 3 != 0);
            let rest = gone
                .iter()
                .fold(all.clone(), |ranked, place| ranked.without(&rule(*place)));
            let expected: Vec<Age> = (0..size).step_by(3).map(Age::Place).collect();
            assert_eq!(places(&rest), expected, "{size}");
            assert_eq!(all.iter().count(), size, "a clone does not change");

            let none = kept
                .iter()
                .fold(rest, |ranked, place| ranked.without(&rule(*place)));
            assert!(matches!(none, Ranked::None), "{size}");
        }
    }

    #[test]
    fn form_follows_the_number_of_rules() {
        let two = Ranked::None.with(&rule(1)).with(&rule(2));
        assert!(matches!(&two, Ranked::Several(chunks) if chunks.len() == 1));
        for place in [1, 2] {
            let one = two.without(&rule(place));
            assert!(matches!(one, Ranked::One(_)), "{one:?}");
            assert_eq!(places(&one), [Age::Place(3 - place)]);
        }
        let half = MAX_CHUNK / 2;
        for (count, expected) in [
            (MAX_CHUNK, &[MAX_CHUNK][..]),
            (MAX_CHUNK + 1, &[half, half + 1]),
        ] {
            let many = (0..count).fold(Ranked::None, |ranked, place| ranked.with(&rule(place)));
            let Ranked::Several(chunks) = many else {
                panic!("{many:?}");
            };
            let sizes: Vec<usize> = chunks.iter().map(|chunk| chunk.len()).collect();
            assert_eq!(sizes, expected);
        }
    }
}
