//! What was in effect before, found by its subject.

use std::collections::{BTreeMap, HashMap};

use ack_ram_core::time::UnixTime;

use super::accepted::Accepted;
use super::retain::KeptOut;
use super::subject::{Anchor, Named, SlipText, SubjectKey};
use super::{Entry, Form, Lists, Place, Terms};
use crate::config::entry::List;
use crate::config::partial::{Part, PartialEntry};

/// What was in effect before. Each entry is taken once.
pub(super) struct Previous {
    entries: Vec<Option<Entry>>,
    places: Vec<Place>,
    by_place: HashMap<Place, usize>,
    by_subject: HashMap<Option<SubjectKey>, Vec<usize>>,
    by_anchor: HashMap<Anchor, Vec<usize>>,
    lengths: BTreeMap<List, usize>,
    /// How many entries were in effect.
    pub(super) count: usize,
}

impl Previous {
    /// Takes over `lists` without what is over.
    pub(super) fn new(lists: Lists, terms: &Terms<'_>) -> Self {
        let mut previous = Self {
            entries: Vec::new(),
            places: Vec::new(),
            by_place: HashMap::new(),
            by_subject: HashMap::new(),
            by_anchor: HashMap::new(),
            lengths: BTreeMap::new(),
            count: 0,
        };
        for (list, entries) in lists {
            previous.lengths.insert(list, entries.len());
            for (index, entry) in entries.into_iter().enumerate() {
                let Some(mut entry) = entry else { continue };
                if let Some(kept) = &mut entry.effect.kept {
                    let was_over = kept.is_over(terms.now);
                    kept.set_ttl(terms.ttl);
                    // What has ended does not come back when the time becomes longer.
                    if was_over || kept.is_over(terms.now) {
                        continue;
                    }
                }
                previous.add((list, index), entry);
            }
        }
        previous
    }

    fn add(&mut self, place: Place, entry: Entry) {
        let number = self.entries.len();
        self.by_place.insert(place, number);
        let peers = self.by_subject.entry(entry.subject.clone()).or_default();
        peers.push(number);
        if let Form::Mapping(mapping) = &entry.form
            && let Some(text) = SlipText::of(mapping)
        {
            self.by_anchor.entry(text.anchor).or_default().push(number);
        }
        self.places.push(place);
        self.entries.push(Some(entry));
        self.count += 1;
    }

    /// How long `list` was.
    pub(super) fn length(&self, list: List) -> usize {
        self.lengths.get(&list).copied().unwrap_or_default()
    }

    /// Takes the entry of `list` that mapped what `form` maps. Since when it did, as it is written.
    pub(super) fn take_same(
        &mut self,
        list: List,
        subject: Option<&SubjectKey>,
        form: &Form,
    ) -> Option<UnixTime> {
        let number = self.find(subject, |place, entry| {
            place.0 == list && entry.form.is_same(form)
        })?;
        Some(self.take(number)?.effect.since)
    }

    /// Takes all that is left of `list`, by place.
    pub(super) fn take_list(&mut self, list: List) -> Vec<Option<Entry>> {
        let numbers =
            (0..self.length(list)).map(|index| self.by_place.get(&(list, index)).copied());
        let numbers: Vec<Option<usize>> = numbers.collect();
        let entries = numbers.into_iter();
        entries.map(|number| self.take(number?)).collect()
    }

    /// Takes the entries that `is_it` is true of.
    pub(super) fn take_all(&mut self, is_it: impl Fn(Place, &Entry) -> bool) -> Vec<Entry> {
        let places = self.places.iter();
        let entries = places.zip(&mut self.entries);
        entries
            .filter_map(|(place, slot)| slot.take_if(|entry| is_it(*place, entry)))
            .collect()
    }

    /// Takes the last good form of a broken entry at `place`. Of several with its subject, the one at its place, else one
    /// with the same names, else the first.
    pub(super) fn take_last_good(
        &mut self,
        place: Place,
        entry: &PartialEntry,
        accepted: &Accepted,
    ) -> Result<Entry, KeptOut> {
        let number = match Named::by(entry)? {
            Named::Subject(subject) => {
                let subject = Some(&subject);
                self.find(subject, |other, _| other == place)
                    .or_else(|| self.find(subject, |_, last| last.form.has_names_of(entry)))
                    .or_else(|| self.find(subject, |_, _| true))
            }
            Named::Condition(text) => self.find(None, |_, last| match &last.form {
                Form::Mapping(mapping) => mapping.condition.as_ref() == Some(&text),
                Form::Account(_) => false,
            }),
            Named::Slip(slip) => {
                let number = self.find_slip(&slip).ok_or(KeptOut::BrokenSubject)?;
                let last = self.entries.get(number).and_then(Option::as_ref);
                if last.is_none_or(|last| accepted.is_written(last)) {
                    return Err(KeptOut::WrittenElsewhere);
                }
                Some(number)
            }
        };
        let entry = number.and_then(|number| self.take(number));
        entry.ok_or(KeptOut::NoLastGood)
    }

    /// Takes the account with this key.
    pub(super) fn take_account(&mut self, subject: &SubjectKey) -> Option<Entry> {
        let number = self.find(Some(subject), |_, _| true)?;
        self.take(number)
    }

    fn find_slip(&self, slip: &SlipText) -> Option<usize> {
        let mut numbers = self.by_anchor.get(&slip.anchor)?.iter().copied();
        numbers.find(|number| {
            let last = self.entries.get(*number).and_then(Option::as_ref);
            let last = last.and_then(|last| match &last.form {
                Form::Mapping(mapping) => SlipText::of(mapping),
                Form::Account(_) => None,
            });
            last.is_some_and(|last| slip.is_slip_of(&last))
        })
    }

    fn find(
        &self,
        subject: Option<&SubjectKey>,
        is_it: impl Fn(Place, &Entry) -> bool,
    ) -> Option<usize> {
        let numbers = self.by_subject.get(&subject.cloned())?.iter().copied();
        numbers.into_iter().find(|number| {
            let entry = self.entries.get(*number).and_then(Option::as_ref);
            let place = self.places.get(*number);
            matches!((place, entry), (Some(place), Some(entry)) if is_it(*place, entry))
        })
    }

    fn take(&mut self, number: usize) -> Option<Entry> {
        self.entries.get_mut(number)?.take()
    }
}

impl Form {
    /// Whether it gives the names that `entry` names.
    fn has_names_of(&self, entry: &PartialEntry) -> bool {
        match self {
            Self::Account(_) => false,
            Self::Mapping(mapping) => {
                let Part::Is(username) = &entry.username else {
                    return false;
                };
                *username == mapping.username && entry.groups == mapping.groups
            }
        }
    }
}
