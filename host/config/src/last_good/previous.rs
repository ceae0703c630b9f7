//! The previously active entries, indexed by subject.

use std::collections::{BTreeMap, HashMap};

use ack_ram_core::time::UnixTime;

use super::accepted::AcceptedEntries;
use super::retain::RetentionError;
use super::subject::{NamedSubject, SubjectKey, TypoAnchor, TypoText};
use super::{ActiveEntry, ActiveLists, EntryForm, EntryIndex, RetentionPolicy};
use crate::entry::MappingList;
use crate::partial_entry::{PartialEntry, PartialField};

/// The previously active entries. Each entry is taken out once.
pub(super) struct PreviousEntries {
    entries: Vec<Option<ActiveEntry>>,
    places: Vec<EntryIndex>,
    by_place: HashMap<EntryIndex, usize>,
    by_subject: HashMap<Option<SubjectKey>, Vec<usize>>,
    by_anchor: HashMap<TypoAnchor, Vec<usize>>,
    lengths: BTreeMap<MappingList, usize>,
    /// Number of entries that were in effect.
    pub(super) count: usize,
}

impl PreviousEntries {
    /// Creates the index of `lists`, without expired last good forms.
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
                    let was_expired = kept.is_expired(terms.now);
                    kept.set_ttl(terms.ttl);
                    // A longer `lastGoodTTL` does not revive an expired form.
                    if was_expired || kept.is_expired(terms.now) {
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

    /// Returns the previous length of `list`.
    pub(super) fn length(&self, list: MappingList) -> usize {
        self.lengths.get(&list).copied().unwrap_or_default()
    }

    /// Takes out the entry of `list` that is equal to `form`, and returns since when it is in effect.
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

    /// Takes out the remaining entries of `list`, by index.
    pub(super) fn take_list(&mut self, list: MappingList) -> Vec<Option<ActiveEntry>> {
        let numbers =
            (0..self.length(list)).map(|index| self.by_place.get(&(list, index)).copied());
        let numbers: Vec<Option<usize>> = numbers.collect();
        let entries = numbers.into_iter();
        entries.map(|number| self.take(number?)).collect()
    }

    /// Takes out the entries for which `is_match` returns true.
    pub(super) fn take_all(
        &mut self,
        is_match: impl Fn(EntryIndex, &ActiveEntry) -> bool,
    ) -> Vec<ActiveEntry> {
        let places = self.places.iter();
        let entries = places.zip(&mut self.entries);
        entries
            .filter_map(|(place, slot)| slot.take_if(|entry| is_match(*place, entry)))
            .collect()
    }

    /// Takes out the last good form of an invalid entry at `place`. Of several forms with its subject, prefers the form
    /// at the same place, then a form with the same names, then the first.
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
            NamedSubject::Typo(typo) => {
                let number = self.find_typo(&typo).ok_or(RetentionError::BrokenSubject)?;
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

    /// Takes out the account with the key `subject`.
    pub(super) fn take_account(&mut self, subject: &SubjectKey) -> Option<ActiveEntry> {
        let number = self.find(Some(subject), |_, _| true)?;
        self.take(number)
    }

    fn find_typo(&self, typo: &TypoText) -> Option<usize> {
        let mut numbers = self.by_anchor.get(&typo.anchor)?.iter().copied();
        numbers.find(|number| {
            let last = self.entries.get(*number).and_then(Option::as_ref);
            let last = last.and_then(|last| match &last.form {
                EntryForm::Mapping(mapping) => TypoText::from_mapping(mapping),
                EntryForm::Account(_) => None,
            });
            last.is_some_and(|last| typo.is_typo_of(&last))
        })
    }

    fn find(
        &self,
        subject: Option<&SubjectKey>,
        is_match: impl Fn(EntryIndex, &ActiveEntry) -> bool,
    ) -> Option<usize> {
        let numbers = self.by_subject.get(&subject.cloned())?.iter().copied();
        numbers.into_iter().find(|number| {
            let entry = self.entries.get(*number).and_then(Option::as_ref);
            let place = self.places.get(*number);
            matches!((place, entry), (Some(place), Some(entry)) if is_match(*place, entry))
        })
    }

    fn take(&mut self, number: usize) -> Option<ActiveEntry> {
        self.entries.get_mut(number)?.take()
    }
}

impl EntryForm {
    /// Returns whether the form has the same username and groups as `entry`.
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
