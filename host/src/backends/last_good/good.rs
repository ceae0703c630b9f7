//! What is written and good in a document: nothing that is kept may stand in its way.

use std::collections::{HashMap, HashSet};

use ack_ram_core::rules::pattern::Pattern;

use super::{Entry, Form, Place};
use crate::config::entry::Whom;

/// What is written and good.
#[derive(Default)]
pub(super) struct Good {
    by_whom: HashMap<Whom, Vec<Rival>>,
    fresh_patterns: Vec<Pattern>,
    /// Whoever is written anywhere, in good entries and in broken ones.
    written: HashSet<Whom>,
}

struct Rival {
    place: Place,
    has_condition: bool,
    is_fresh: bool,
}

impl Good {
    /// A good entry; fresh if it was not there before, in this form.
    pub(super) fn add(&mut self, whom: Option<&Whom>, place: Place, form: &Form, is_fresh: bool) {
        let Some(whom) = whom else { return };
        let rivals = self.by_whom.entry(whom.clone()).or_default();
        rivals.push(Rival {
            place,
            has_condition: form.has_condition(),
            is_fresh,
        });
        self.add_written(whom);
    }

    /// A good entry with a pattern that was not there before.
    pub(super) fn add_fresh_pattern(&mut self, pattern: &Pattern) {
        self.fresh_patterns.push(pattern.clone());
    }

    /// A broken entry names `whom`.
    pub(super) fn add_written(&mut self, whom: &Whom) {
        self.written.insert(whom.clone());
    }

    /// Whether `whom` is written anywhere.
    pub(super) fn is_written(&self, whom: &Whom) -> bool {
        self.written.contains(whom)
    }

    /// Whether a good entry for those whom `kept` is about is to answer in place of it, if that stays at `place`.
    pub(super) fn answers_instead_of(&self, kept: &Entry, place: Place) -> bool {
        let rivals = kept.whom.as_ref().and_then(|whom| self.by_whom.get(whom));
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

    /// Whether a pattern that was not there before is about the ARN of `entry`, too.
    pub(super) fn covers_anew(&self, entry: &Entry) -> bool {
        let Some(key) = entry.arn() else { return false };
        let mut patterns = self.fresh_patterns.iter();
        patterns.any(|pattern| pattern.matches(&key))
    }
}
