//! What is written in a document, and what of it is good: nothing that is kept may stand in its way.

use std::collections::{HashMap, HashSet};

use ack_ram_core::rules::pattern::Pattern;

use super::subject::SubjectKey;
use super::{Entry, Form, Place};

/// What is written and good.
#[derive(Default)]
pub(super) struct Accepted {
    by_subject: HashMap<SubjectKey, Vec<Rival>>,
    fresh_patterns: Vec<Pattern>,
    /// The subjects of all entries, good and broken.
    written: HashSet<SubjectKey>,
}

struct Rival {
    place: Place,
    has_condition: bool,
    is_fresh: bool,
}

impl Accepted {
    /// Adds a good entry; fresh if it was not there before, in this form.
    pub(super) fn add(
        &mut self,
        subject: Option<&SubjectKey>,
        place: Place,
        form: &Form,
        is_fresh: bool,
    ) {
        let Some(subject) = subject else { return };
        let rivals = self.by_subject.entry(subject.clone()).or_default();
        rivals.push(Rival {
            place,
            has_condition: form.has_condition(),
            is_fresh,
        });
        self.add_written(subject.clone());
    }

    /// Adds the pattern of a good entry that was not there before.
    pub(super) fn add_fresh_pattern(&mut self, pattern: &Pattern) {
        self.fresh_patterns.push(pattern.clone());
    }

    /// Adds the subject of a broken entry.
    pub(super) fn add_written(&mut self, subject: SubjectKey) {
        self.written.insert(subject);
    }

    /// Whether the subject of `entry` is written anywhere, or a pattern that was not there before covers it.
    pub(super) fn is_written(&self, entry: &Entry) -> bool {
        let subject = entry.subject.as_ref();
        subject.is_some_and(|subject| self.written.contains(subject)) || self.covers_anew(entry)
    }

    /// Whether a good entry has the subject of `entry`.
    pub(super) fn has_subject_of(&self, entry: &Entry) -> bool {
        let subject = entry.subject.as_ref();
        subject.is_some_and(|subject| self.by_subject.contains_key(subject))
    }

    /// Whether a good entry with the subject of `kept` is to answer in place of it, if that stays at `place`.
    pub(super) fn answers_instead_of(&self, kept: &Entry, place: Place) -> bool {
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

    fn covers_anew(&self, entry: &Entry) -> bool {
        let Some(key) = entry.arn() else { return false };
        let mut patterns = self.fresh_patterns.iter();
        patterns.any(|pattern| pattern.matches(&key))
    }
}
