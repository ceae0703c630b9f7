//! What was in effect before, and which of it a broken entry was.

use std::collections::{BTreeMap, HashMap};

use ack_ram_core::time::UnixTime;

use super::good::Good;
use super::{Entry, Form, Lists, Place};
use crate::config::entry::{List, Outline, Part, Whom};

/// What was in effect before. Each entry is taken once.
pub(super) struct Earlier {
    entries: Vec<Option<Entry>>,
    places: Vec<Place>,
    by_place: HashMap<Place, usize>,
    by_whom: HashMap<Option<Whom>, Vec<usize>>,
    lengths: BTreeMap<List, usize>,
}

impl Earlier {
    /// `lists` without what has been kept for a day.
    pub(super) fn new(lists: Lists, now: UnixTime) -> Self {
        let mut earlier = Self {
            entries: Vec::new(),
            places: Vec::new(),
            by_place: HashMap::new(),
            by_whom: HashMap::new(),
            lengths: BTreeMap::new(),
        };
        for (list, entries) in lists {
            earlier.lengths.insert(list, entries.len());
            for (index, entry) in entries.into_iter().enumerate() {
                let is_over = |entry: &Entry| {
                    let kept = entry.effect.kept.as_ref();
                    kept.is_some_and(|kept| kept.is_over(now))
                };
                if let Some(entry) = entry.filter(|entry| !is_over(entry)) {
                    earlier.add((list, index), entry);
                }
            }
        }
        earlier
    }

    fn add(&mut self, place: Place, entry: Entry) {
        let number = self.entries.len();
        self.by_place.insert(place, number);
        let peers = self.by_whom.entry(entry.whom.clone()).or_default();
        peers.push(number);
        self.places.push(place);
        self.entries.push(Some(entry));
    }

    /// How long `list` was.
    pub(super) fn length(&self, list: List) -> usize {
        self.lengths.get(&list).copied().unwrap_or_default()
    }

    /// How many have not been taken.
    pub(super) fn left(&self) -> usize {
        self.entries.iter().flatten().count()
    }

    /// Takes the entry of `list` that mapped what `form` maps. Since when it did.
    pub(super) fn take_same(
        &mut self,
        list: List,
        whom: Option<&Whom>,
        form: &Form,
    ) -> Option<UnixTime> {
        let number = self.find(whom, |place, entry| {
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

    /// Takes what was for those whom a broken entry names. Of several, what was at its place, else what gave the same
    /// names, else the first.
    pub(super) fn take_named(&mut self, place: Place, outline: &Outline) -> Option<Entry> {
        let Part::Is(whom) = &outline.whom else {
            return None;
        };
        let whom = Some(whom);
        let number = self
            .find(whom, |other, _| other == place)
            .or_else(|| self.find(whom, |_, entry| entry.form.may_be_named(outline)))
            .or_else(|| self.find(whom, |_, _| true))?;
        self.take(number)
    }

    /// Takes what was at `place`, where a broken entry is now in a list of `length`: when the list was as long, the entry
    /// gave the names that can be read, and whoever it was for is written nowhere now. An entry that was left blank has
    /// been blanked on purpose.
    pub(super) fn take_at(
        &mut self,
        place: Place,
        length: usize,
        outline: &Outline,
        good: &Good,
    ) -> Option<Entry> {
        let number = *self.by_place.get(&place)?;
        let entry = self.entries.get(number)?.as_ref()?;
        let is_written = |whom: &Whom| good.is_written(whom);
        let is_it = outline.whom != Part::Absent
            && self.length(place.0) == length
            && entry.form.may_be_named(outline)
            && !entry.whom.as_ref().is_some_and(is_written)
            && !good.covers_anew(entry);
        if is_it { self.take(number) } else { None }
    }

    fn find(&self, whom: Option<&Whom>, is_it: impl Fn(Place, &Entry) -> bool) -> Option<usize> {
        let numbers = self.by_whom.get(&whom.cloned())?.iter().copied();
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
    /// Whether a broken entry can be meant to give the same names.
    fn may_be_named(&self, outline: &Outline) -> bool {
        match self {
            Self::Account(_) => true,
            Self::Mapping(mapping) => {
                outline.username.may_be(&mapping.username) && outline.groups.may_be(&mapping.groups)
            }
        }
    }
}
