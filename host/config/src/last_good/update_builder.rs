//! Construction of the next state of a document.

use ack_ram_core::arn::AccountId;
use ack_ram_core::rules::pattern::Pattern;
use ack_ram_core::rules::subject::Subject;
use ack_ram_core::rules::{Mapping, Precedence, Rule, WildcardMode};

use super::accepted::AcceptedEntries;
use super::activation::{Activation, Retention, RetentionBasis};
use super::incoming::{IncomingKind, IncomingList};
use super::previous::PreviousEntries;
use super::retain::{RetentionError, retain};
use super::subject::{NamedSubject, SubjectKey};
use super::{
    ActiveEntry, ActiveLists, EntryForm, EntryIndex, RefusedEntry, RetentionPolicy, Update,
};
use crate::diagnostic::Diagnostic;
use crate::entry::{InvalidEntry, MappingList};
use crate::partial_entry::PartialEntry;

/// Builder of the next state of a document.
pub(super) struct UpdateBuilder<'a> {
    terms: &'a RetentionPolicy<'a>,
    /// Whether ARNs in `mapRoles` and `mapUsers` of the document may have wildcards.
    globs: Option<WildcardMode>,
    lists: ActiveLists,
    accepted: AcceptedEntries,
    update: Update,
    /// Number of previous entries that are still in effect, unchanged or kept.
    carried: usize,
}

/// The place where a last good form is kept, and the error in the newest text.
struct RetentionSlot<'a> {
    place: EntryIndex,
    position: String,
    age: Precedence,
    why: &'a Diagnostic,
}

impl<'a> UpdateBuilder<'a> {
    pub(super) fn new(terms: &'a RetentionPolicy<'a>, globs: Option<WildcardMode>) -> Self {
        Self {
            terms,
            globs,
            lists: ActiveLists::new(),
            accepted: AcceptedEntries::default(),
            update: Update::default(),
            carried: 0,
        }
    }

    /// Puts the valid entries in effect, and records the subjects of all entries.
    pub(super) fn add_accepted(&mut self, list: &IncomingList, previous: &mut PreviousEntries) {
        let Ok(incoming) = &list.entries else { return };
        let mut entries = Vec::with_capacity(incoming.len());
        for (index, incoming) in incoming.iter().enumerate() {
            let (form, subject, rule) = match &incoming.kind {
                IncomingKind::Invalid(invalid) => {
                    let named = invalid.partial.as_ref().map(NamedSubject::from_entry);
                    if let Some(Ok(NamedSubject::Subject(subject))) = named {
                        self.accepted.add_subject(subject);
                    }
                    entries.push(None);
                    continue;
                }
                IncomingKind::Mapping(mapping, rule) => (
                    EntryForm::Mapping(mapping.clone()),
                    SubjectKey::from_subject(rule.subject()),
                    Some(&**rule),
                ),
                IncomingKind::Account(account) => {
                    let subject = Some(SubjectKey::from_account(account.as_str()));
                    (EntryForm::Account(account.clone()), subject, None)
                }
            };
            if list.inactive_because.is_some() {
                if let Some(subject) = subject {
                    self.accepted.add_subject(subject);
                }
                entries.push(None);
                continue;
            }
            let since = previous.take_unchanged(list.list, subject.as_ref(), &form);
            match since {
                Some(_) => self.carried += 1,
                None => self.update.added += 1,
            }
            let place = (list.list, index);
            let is_fresh = since.is_none();
            self.accepted.add(subject.as_ref(), place, &form, is_fresh);
            if let (Some(Subject::Pattern(pattern)), true) = (rule.map(Rule::subject), is_fresh) {
                self.accepted.add_fresh_pattern(pattern);
            }
            let activation = Activation::new(since.unwrap_or(self.terms.now));
            let entry = ActiveEntry {
                form,
                subject,
                activation,
            };
            self.update.add(&incoming.position, &entry, rule.cloned());
            entries.push(Some(entry));
        }
        self.lists.insert(list.list, entries);
    }

    /// Keeps all entries of an unreadable list.
    pub(super) fn keep_unreadable(&mut self, list: &IncomingList, previous: &mut PreviousEntries) {
        let Err(why) = &list.entries else { return };
        let mut retention_error = None;
        let mut slots = Vec::new();
        for (index, entry) in previous.take_list(list.list).into_iter().enumerate() {
            let Some(entry) = entry else {
                slots.push(None);
                continue;
            };
            let spot = RetentionSlot {
                place: (list.list, index),
                position: format!("{}[{index}]", list.position),
                age: list.age(index),
                why,
            };
            let kept = match self.lost_wildcards(list.list, &entry) {
                true => Err(RetentionError::Globs),
                false => self.keep(entry, &spot, RetentionBasis::Unreadable),
            };
            slots.push(match kept {
                Ok(entry) => Some(entry),
                Err(why) => {
                    retention_error = Some(why);
                    None
                }
            });
        }
        self.add_refusal(&list.position, why, slots.iter().flatten(), retention_error);
        self.lists.insert(list.list, slots);
    }

    /// Keeps the last good forms of a list that is readable but does not take effect.
    pub(super) fn keep_inactive(&mut self, list: &IncomingList, previous: &mut PreviousEntries) {
        let (Ok(incoming), Some(why)) = (&list.entries, &list.inactive_because) else {
            return;
        };
        let mut kept = Vec::new();
        for (index, incoming) in incoming.iter().enumerate() {
            let spot = RetentionSlot {
                place: (list.list, index),
                position: incoming.position.clone(),
                age: list.age(index),
                why,
            };
            let entry = match &incoming.kind {
                IncomingKind::Mapping(mapping, _) => self.keep_readable(mapping, &spot, previous),
                IncomingKind::Account(account) => self.keep_account(account, &spot, previous),
                // `keep_invalid` handles these entries, each with its own error.
                IncomingKind::Invalid(_) => continue,
            };
            if let Ok(entry) = entry {
                kept.push(entry.clone());
                self.set_slot(spot.place, entry);
            }
        }
        let retention_error = kept.is_empty().then_some(RetentionError::NoLastGood);
        self.add_refusal(&list.position, why, kept.iter(), retention_error);
    }

    /// Keeps the last good form of each invalid entry.
    pub(super) fn keep_invalid(&mut self, list: &IncomingList, previous: &mut PreviousEntries) {
        let Ok(incoming) = &list.entries else { return };
        for (index, incoming) in incoming.iter().enumerate() {
            let IncomingKind::Invalid(invalid) = &incoming.kind else {
                continue;
            };
            let InvalidEntry {
                refusal, partial, ..
            } = &**invalid;
            let spot = RetentionSlot {
                place: (list.list, index),
                position: incoming.position.clone(),
                age: list.age(index),
                why: refusal,
            };
            let kept = match partial {
                Some(partial) => self.keep_partial(partial, &spot, previous),
                None => Err(RetentionError::Account),
            };
            match kept {
                Ok(entry) => {
                    self.add_refusal(&spot.position, refusal, [&entry].into_iter(), None);
                    self.set_slot(spot.place, entry);
                }
                Err(why) => self.add_refusal(&spot.position, refusal, [].into_iter(), Some(why)),
            }
            if let Some(refused) = self.update.refused.last_mut() {
                refused.subject = partial.as_ref().and_then(PartialEntry::subject_text);
            }
        }
    }

    /// Keeps the protected entries of a list that has an invalid entry, because that entry may be their newest text.
    pub(super) fn keep_protected(
        &mut self,
        list: &IncomingList,
        is_document_inactive: bool,
        previous: &mut PreviousEntries,
    ) {
        let is_misspelled = list.inactive_because.is_some() && !is_document_inactive;
        if list.entries.is_err() || !(is_misspelled || list.has_invalid()) {
            return;
        }
        let incoming = list.entries.iter().flatten();
        let why = incoming.into_iter().find_map(|entry| match &entry.kind {
            IncomingKind::Invalid(invalid) => Some(&invalid.refusal),
            IncomingKind::Mapping(..) | IncomingKind::Account(_) => None,
        });
        let Some(why) = list.inactive_because.as_ref().or(why) else {
            return;
        };
        let is_match = |place: EntryIndex, entry: &ActiveEntry| {
            place.0 == list.list && self.is_protected(entry) && !self.accepted.has_subject_of(entry)
        };
        let entries = previous.take_all(is_match);
        for (number, entry) in entries.into_iter().enumerate() {
            let index = self.lists.get(&list.list).map_or(0, Vec::len);
            let spot = RetentionSlot {
                place: (list.list, index),
                position: format!("{}[kept {number}]", list.position),
                age: list.age(index),
                why,
            };
            if let Ok(entry) = self.keep(entry, &spot, RetentionBasis::Protected) {
                self.add_refusal(&spot.position, why, [&entry].into_iter(), None);
                self.lists.entry(list.list).or_default().push(Some(entry));
            }
        }
    }

    /// Returns the next state and the changes.
    pub(super) fn finish(mut self, previous: &PreviousEntries) -> (ActiveLists, Update) {
        self.update.removed = previous.count.saturating_sub(self.carried);
        (self.lists, self.update)
    }

    /// Keeps the last good form of `newest`, an invalid entry.
    fn keep_partial(
        &mut self,
        newest: &PartialEntry,
        spot: &RetentionSlot<'_>,
        previous: &mut PreviousEntries,
    ) -> Result<ActiveEntry, RetentionError> {
        let last = previous.take_last_good(spot.place, newest, &self.accepted)?;
        if self.is_protected(&last) {
            return self.keep(last, spot, RetentionBasis::Protected);
        }
        let EntryForm::Mapping(mapping) = &last.form else {
            return Err(RetentionError::NoLastGood);
        };
        let form = EntryForm::Mapping(Box::new(retain(mapping, newest)?));
        self.keep(
            ActiveEntry { form, ..last },
            spot,
            RetentionBasis::BothTexts,
        )
    }

    /// Keeps the last good form of `newest`, an entry that is readable but does not take effect.
    ///
    /// The meaning of the entry is not in doubt, so protected entries are treated like others. A changed username is
    /// not accepted, because settings that are meant to check it may not be in effect either.
    fn keep_readable(
        &mut self,
        newest: &Mapping,
        spot: &RetentionSlot<'_>,
        previous: &mut PreviousEntries,
    ) -> Result<ActiveEntry, RetentionError> {
        let newest = PartialEntry::from_mapping(newest);
        let last = previous.take_last_good(spot.place, &newest, &self.accepted)?;
        let EntryForm::Mapping(mapping) = &last.form else {
            return Err(RetentionError::NoLastGood);
        };
        let retained = retain(mapping, &newest)?;
        if retained.spec.username != mapping.spec.username {
            return Err(RetentionError::Username);
        }
        let form = EntryForm::Mapping(Box::new(retained));
        self.keep(
            ActiveEntry { form, ..last },
            spot,
            RetentionBasis::BothTexts,
        )
    }

    fn keep_account(
        &mut self,
        account: &AccountId,
        spot: &RetentionSlot<'_>,
        previous: &mut PreviousEntries,
    ) -> Result<ActiveEntry, RetentionError> {
        let subject = SubjectKey::from_account(account.as_str());
        let last = previous
            .take_account(&subject)
            .ok_or(RetentionError::NoLastGood)?;
        self.keep(last, spot, RetentionBasis::BothTexts)
    }

    /// Keeps `entry`, unless it has expired or would block a valid entry.
    fn keep(
        &mut self,
        mut entry: ActiveEntry,
        spot: &RetentionSlot<'_>,
        basis: RetentionBasis,
    ) -> Result<ActiveEntry, RetentionError> {
        let RetentionPolicy { now, ttl, .. } = *self.terms;
        if ttl <= 0 {
            return Err(RetentionError::Expired);
        }
        if self.accepted.supersedes(&entry, spot.place) {
            return Err(RetentionError::WrittenElsewhere);
        }
        let rule = match &mut entry.form {
            EntryForm::Account(_) => None,
            EntryForm::Mapping(mapping) => {
                mapping.source.position.clone_from(&spot.position);
                mapping.precedence = spot.age;
                let rule = Rule::compile(Mapping::clone(mapping));
                Some(rule.map_err(|_| RetentionError::Condition)?)
            }
        };
        let reason = spot.why.text();
        entry.activation.retention = Some(match entry.activation.retention.take() {
            Some(kept) => kept.renewed(reason, basis),
            None => Retention::new(now, ttl, reason, basis),
        });
        self.carried += 1;
        self.update.add(&spot.position, &entry, rule);
        Ok(entry)
    }

    fn is_protected(&self, entry: &ActiveEntry) -> bool {
        let (Some(protected), EntryForm::Mapping(mapping)) = (self.terms.protected, &entry.form)
        else {
            return false;
        };
        let rule = Rule::compile(Mapping::clone(mapping));
        rule.is_ok_and(|rule| protected.protects_subject(rule.subject()))
    }

    /// Returns whether `entry` of `list` has wildcards that the document no longer supports.
    fn lost_wildcards(&self, list: MappingList, entry: &ActiveEntry) -> bool {
        let EntryForm::Mapping(mapping) = &entry.form else {
            return false;
        };
        matches!(list, MappingList::Roles | MappingList::Users)
            && mapping.wildcards == WildcardMode::Enabled
            && self.globs == Some(WildcardMode::Disabled)
            && Pattern::has_wildcard(&mapping.spec.arn)
    }

    fn set_slot(&mut self, (list, index): EntryIndex, entry: ActiveEntry) {
        let slots = self.lists.get_mut(&list);
        if let Some(slot) = slots.and_then(|slots| slots.get_mut(index)) {
            *slot = Some(entry);
        }
    }

    fn add_refusal<'e>(
        &mut self,
        position: &str,
        why: &Diagnostic,
        kept: impl Iterator<Item = &'e ActiveEntry>,
        retention_error: Option<RetentionError>,
    ) {
        self.update.refused.push(RefusedEntry {
            position: position.to_owned(),
            subject: None,
            why: why.clone(),
            kept: kept.filter_map(ActiveEntry::retained).collect(),
            retention_error,
        });
    }
}

impl Update {
    fn add(&mut self, position: &str, entry: &ActiveEntry, rule: Option<Rule>) {
        self.rules.extend(rule);
        if let EntryForm::Account(account) = &entry.form {
            self.accounts.push((position.to_owned(), account.clone()));
        }
        self.in_effect
            .insert(position.to_owned(), entry.activation.clone());
    }
}
