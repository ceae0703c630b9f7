//! What is written in a document, and what of it is good: nothing that is kept may stand in its way.

use std::collections::{HashMap, HashSet};

use ack_ram_core::rules::pattern::Pattern;

use super::subject::SubjectKey;
use super::{ActiveEntry, EntryForm, EntryIndex};

/// What is written and good.
#[derive(Default)]
pub(super) struct AcceptedEntries {
    by_subject: HashMap<SubjectKey, Vec<AcceptedEntry>>,
    fresh_patterns: Vec<Pattern>,
    /// The subjects of all entries, good and broken.
    subjects: HashSet<SubjectKey>,
}

struct AcceptedEntry {
    place: EntryIndex,
    has_condition: bool,
    is_fresh: bool,
}

impl AcceptedEntries {
    /// Adds a good entry; fresh if it was not there before, in this form.
    pub(super) fn add(
        &mut self,
        subject: Option<&SubjectKey>,
        place: EntryIndex,
        form: &EntryForm,
        is_fresh: bool,
    ) {
        let Some(subject) = subject else { return };
        let rivals = self.by_subject.entry(subject.clone()).or_default();
        rivals.push(AcceptedEntry {
            place,
            has_condition: form.has_condition(),
            is_fresh,
        });
        self.add_subject(subject.clone());
    }

    /// Adds the pattern of a good entry that was not there before.
    pub(super) fn add_fresh_pattern(&mut self, pattern: &Pattern) {
        self.fresh_patterns.push(pattern.clone());
    }

    /// Adds the subject of a broken entry.
    pub(super) fn add_subject(&mut self, subject: SubjectKey) {
        self.subjects.insert(subject);
    }

    /// Whether the subject of `entry` is written anywhere, or a pattern that was not there before covers it.
    pub(super) fn covers(&self, entry: &ActiveEntry) -> bool {
        let subject = entry.subject.as_ref();
        subject.is_some_and(|subject| self.subjects.contains(subject))
            || self.has_fresh_pattern_for(entry)
    }

    /// Whether a good entry has the subject of `entry`.
    pub(super) fn has_subject_of(&self, entry: &ActiveEntry) -> bool {
        let subject = entry.subject.as_ref();
        subject.is_some_and(|subject| self.by_subject.contains_key(subject))
    }

    /// Whether a good entry with the subject of `kept` is to answer in place of it, if that stays at `place`.
    pub(super) fn supersedes(&self, kept: &ActiveEntry, place: EntryIndex) -> bool {
        let rivals = kept
            .subject
            .as_ref()
            .and_then(|subject| self.by_subject.get(subject));
        let mut rivals = rivals.into_iter().flatten();
        rivals.any(|rival| {
            if !kept.form.has_condition() && !rival.has_condition {
                return true;
            }
            // Among conditions for one subject the order says who is let in as what. What stood before a condition
            // that is as it was stays before it: else the broken edit would give somebody another user.
            if place < rival.place {
                rival.is_fresh
            } else {
                !rival.has_condition
            }
        })
    }

    fn has_fresh_pattern_for(&self, entry: &ActiveEntry) -> bool {
        let Some(key) = entry.arn() else { return false };
        let mut patterns = self.fresh_patterns.iter();
        patterns.any(|pattern| pattern.matches(&key))
    }
}
