//! What was in effect before, found by its subject.

use std::collections::{BTreeMap, HashMap};

use ack_ram_core::time::UnixTime;

use super::accepted::AcceptedEntries;
use super::retain::RetentionError;
use super::subject::{NamedSubject, SubjectKey, TypoAnchor, TypoText};
use super::{ActiveEntry, ActiveLists, EntryForm, EntryIndex, RetentionPolicy};
use crate::entry::MappingList;
use crate::partial_entry::{PartialEntry, PartialField};

/// What was in effect before. Each entry is taken once.
pub(super) struct PreviousEntries {
    entries: Vec<Option<ActiveEntry>>,
    places: Vec<EntryIndex>,
    by_place: HashMap<EntryIndex, usize>,
    by_subject: HashMap<Option<SubjectKey>, Vec<usize>>,
    by_anchor: HashMap<TypoAnchor, Vec<usize>>,
    lengths: BTreeMap<MappingList, usize>,
    /// How many entries were in effect.
    pub(super) count: usize,
}

impl PreviousEntries {
    /// Takes over `lists` without what is over.
    pub(super) fn new(lists: ActiveLists, terms: &RetentionPolicy<'_>) -> Self {
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
                if let Some(kept) = &mut entry.activation.retention {
                    let was_over = kept.is_expired(terms.now);
                    kept.set_ttl(terms.ttl);
                    // What has ended does not come back when the time becomes longer.
                    if was_over || kept.is_expired(terms.now) {
                        continue;
                    }
                }
                previous.add((list, index), entry);
            }
        }
        previous
    }

    fn add(&mut self, place: EntryIndex, entry: ActiveEntry) {
        let number = self.entries.len();
        self.by_place.insert(place, number);
        let peers = self.by_subject.entry(entry.subject.clone()).or_default();
        peers.push(number);
        if let EntryForm::Mapping(mapping) = &entry.form
            && let Some(text) = TypoText::from_mapping(mapping)
        {
            self.by_anchor.entry(text.anchor).or_default().push(number);
        }
        self.places.push(place);
        self.entries.push(Some(entry));
        self.count += 1;
    }

    /// How long `list` was.
    pub(super) fn length(&self, list: MappingList) -> usize {
        self.lengths.get(&list).copied().unwrap_or_default()
    }

    /// Takes the entry of `list` that mapped what `form` maps. Since when it did, as it is written.
    pub(super) fn take_unchanged(
        &mut self,
        list: MappingList,
        subject: Option<&SubjectKey>,
        form: &EntryForm,
    ) -> Option<UnixTime> {
        let number = self.find(subject, |place, entry| {
            place.0 == list && entry.form.is_same(form)
        })?;
        Some(self.take(number)?.activation.since)
    }

    /// Takes all that is left of `list`, by place.
    pub(super) fn take_list(&mut self, list: MappingList) -> Vec<Option<ActiveEntry>> {
        let numbers =
            (0..self.length(list)).map(|index| self.by_place.get(&(list, index)).copied());
        let numbers: Vec<Option<usize>> = numbers.collect();
        let entries = numbers.into_iter();
        entries.map(|number| self.take(number?)).collect()
    }

    /// Takes the entries that `is_it` is true of.
    pub(super) fn take_all(
        &mut self,
        is_it: impl Fn(EntryIndex, &ActiveEntry) -> bool,
    ) -> Vec<ActiveEntry> {
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
        place: EntryIndex,
        entry: &PartialEntry,
        accepted: &AcceptedEntries,
    ) -> Result<ActiveEntry, RetentionError> {
        let number = match NamedSubject::from_entry(entry)? {
            NamedSubject::Subject(subject) => {
                let subject = Some(&subject);
                self.find(subject, |other, _| other == place)
                    .or_else(|| self.find(subject, |_, last| last.form.gives_same_names(entry)))
                    .or_else(|| self.find(subject, |_, _| true))
            }
            NamedSubject::Condition(text) => self.find(None, |_, last| match &last.form {
                EntryForm::Mapping(mapping) => mapping.spec.condition.as_ref() == Some(&text),
                EntryForm::Account(_) => false,
            }),
            NamedSubject::Typo(slip) => {
                let number = self.find_typo(&slip).ok_or(RetentionError::BrokenSubject)?;
                let last = self.entries.get(number).and_then(Option::as_ref);
                if last.is_none_or(|last| accepted.covers(last)) {
                    return Err(RetentionError::WrittenElsewhere);
                }
                Some(number)
            }
        };
        let entry = number.and_then(|number| self.take(number));
        entry.ok_or(RetentionError::NoLastGood)
    }

    /// Takes the account with this key.
    pub(super) fn take_account(&mut self, subject: &SubjectKey) -> Option<ActiveEntry> {
        let number = self.find(Some(subject), |_, _| true)?;
        self.take(number)
    }

    fn find_typo(&self, slip: &TypoText) -> Option<usize> {
        let mut numbers = self.by_anchor.get(&slip.anchor)?.iter().copied();
        numbers.find(|number| {
            let last = self.entries.get(*number).and_then(Option::as_ref);
            let last = last.and_then(|last| match &last.form {
                EntryForm::Mapping(mapping) => TypoText::from_mapping(mapping),
                EntryForm::Account(_) => None,
            });
            last.is_some_and(|last| slip.is_typo_of(&last))
        })
    }

    fn find(
        &self,
        subject: Option<&SubjectKey>,
        is_it: impl Fn(EntryIndex, &ActiveEntry) -> bool,
    ) -> Option<usize> {
        let numbers = self.by_subject.get(&subject.cloned())?.iter().copied();
        numbers.into_iter().find(|number| {
            let entry = self.entries.get(*number).and_then(Option::as_ref);
            let place = self.places.get(*number);
            matches!((place, entry), (Some(place), Some(entry)) if is_it(*place, entry))
        })
    }

    fn take(&mut self, number: usize) -> Option<ActiveEntry> {
        self.entries.get_mut(number)?.take()
    }
}

impl EntryForm {
    /// Whether it gives the names that `entry` names.
    fn gives_same_names(&self, entry: &PartialEntry) -> bool {
        match self {
            Self::Account(_) => false,
            Self::Mapping(mapping) => {
                let PartialField::Present(username) = &entry.username else {
                    return false;
                };
                *username == mapping.spec.username && entry.groups == mapping.spec.groups
            }
        }
    }
}
