//! The valid entries and all subjects of a document. A kept form must not block them.

use std::collections::{HashMap, HashSet};

use ack_ram_core::rules::pattern::Pattern;

use super::subject::SubjectKey;
use super::{ActiveEntry, EntryForm, EntryIndex};

/// The valid entries of a document, and the subjects of all entries.
#[derive(Default)]
pub(super) struct AcceptedEntries {
    by_subject: HashMap<SubjectKey, Vec<AcceptedEntry>>,
    fresh_patterns: Vec<Pattern>,
    /// Subjects of all entries, valid and invalid.
    subjects: HashSet<SubjectKey>,
}

struct AcceptedEntry {
    place: EntryIndex,
    has_condition: bool,
    is_fresh: bool,
}

impl AcceptedEntries {
    /// Adds a valid entry. It is fresh if it was not in effect before in this form.
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

    /// Adds the pattern of a fresh valid entry.
    pub(super) fn add_fresh_pattern(&mut self, pattern: &Pattern) {
        self.fresh_patterns.push(pattern.clone());
    }

    /// Adds the subject of an invalid entry.
    pub(super) fn add_subject(&mut self, subject: SubjectKey) {
        self.subjects.insert(subject);
    }

    /// Returns whether any entry has the subject of `entry`, or a fresh pattern covers it.
    pub(super) fn covers(&self, entry: &ActiveEntry) -> bool {
        let subject = entry.subject.as_ref();
        subject.is_some_and(|subject| self.subjects.contains(subject))
            || self.has_fresh_pattern_for(entry)
    }

    /// Returns whether a valid entry has the subject of `entry`.
    pub(super) fn has_subject_of(&self, entry: &ActiveEntry) -> bool {
        let subject = entry.subject.as_ref();
        subject.is_some_and(|subject| self.by_subject.contains_key(subject))
    }

    /// Returns whether a valid entry with the same subject must replace `kept`, if `kept` stays at `place`.
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
            // The order of conditions for one subject decides which user an identity becomes. A kept form before an
            // unchanged condition stays before it. Otherwise, the invalid edit would give an identity another user.
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
