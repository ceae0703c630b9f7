//! The next state of a document, while it is put together.

use ack_ram_core::arn::AccountId;
use ack_ram_core::rules::pattern::Pattern;
use ack_ram_core::rules::subject::Subject;
use ack_ram_core::rules::{Age, Globs, Mapping, Rule};

use super::accepted::Accepted;
use super::effect::{Basis, Effect, Kept};
use super::incoming::{IncomingList, What};
use super::previous::Previous;
use super::retain::{KeptOut, retain};
use super::subject::{Named, SubjectKey};
use super::{Entry, Form, Lists, Place, Refused, Terms, Update};
use crate::config::entry::{Broken, List, Refusal};
use crate::config::partial::PartialEntry;

/// The next state of a document.
pub(super) struct Keeping<'a> {
    terms: &'a Terms<'a>,
    /// How the document reads ARNs in `mapRoles` and `mapUsers`.
    globs: Option<Globs>,
    lists: Lists,
    accepted: Accepted,
    update: Update,
    /// How many entries of before are in effect, as they were or kept.
    carried: usize,
}

/// Where something is kept.
struct Spot<'a> {
    place: Place,
    position: String,
    age: Age,
    why: &'a Refusal,
}

impl<'a> Keeping<'a> {
    pub(super) fn new(terms: &'a Terms<'a>, globs: Option<Globs>) -> Self {
        Self {
            terms,
            globs,
            lists: Lists::new(),
            accepted: Accepted::default(),
            update: Update::default(),
            carried: 0,
        }
    }

    /// Puts the good entries in effect, and notes the subjects of all.
    pub(super) fn take_good(&mut self, list: &IncomingList, previous: &mut Previous) {
        let Ok(incoming) = &list.entries else { return };
        let mut entries = Vec::with_capacity(incoming.len());
        for (index, incoming) in incoming.iter().enumerate() {
            let (form, subject, rule) = match &incoming.what {
                What::Broken(broken) => {
                    let named = broken.partial.as_ref().map(Named::by);
                    if let Some(Ok(Named::Subject(subject))) = named {
                        self.accepted.add_written(subject);
                    }
                    entries.push(None);
                    continue;
                }
                What::Mapping(mapping, rule) => (
                    Form::Mapping(mapping.clone()),
                    SubjectKey::of(rule.subject()),
                    Some(&**rule),
                ),
                What::Account(account) => {
                    let subject = Some(SubjectKey::account(account.as_str()));
                    (Form::Account(account.clone()), subject, None)
                }
            };
            if list.held_back.is_some() {
                if let Some(subject) = subject {
                    self.accepted.add_written(subject);
                }
                entries.push(None);
                continue;
            }
            let since = previous.take_same(list.list, subject.as_ref(), &form);
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
            let effect = Effect::new(since.unwrap_or(self.terms.now));
            let entry = Entry {
                form,
                subject,
                effect,
            };
            self.update.put(&incoming.position, &entry, rule.cloned());
            entries.push(Some(entry));
        }
        self.lists.insert(list.list, entries);
    }

    /// Keeps all of a list that cannot be read.
    pub(super) fn keep_unreadable(&mut self, list: &IncomingList, previous: &mut Previous) {
        let Err(why) = &list.entries else { return };
        let mut kept_out = None;
        let mut slots = Vec::new();
        for (index, entry) in previous.take_list(list.list).into_iter().enumerate() {
            let Some(entry) = entry else {
                slots.push(None);
                continue;
            };
            let spot = Spot {
                place: (list.list, index),
                position: format!("{}[{index}]", list.position),
                age: list.age(index),
                why,
            };
            let kept = match self.means_less_now(list.list, &entry) {
                true => Err(KeptOut::Globs),
                false => self.keep(entry, &spot, Basis::Unreadable),
            };
            slots.push(match kept {
                Ok(entry) => Some(entry),
                Err(why) => {
                    kept_out = Some(why);
                    None
                }
            });
        }
        self.refuse(&list.position, why, slots.iter().flatten(), kept_out);
        self.lists.insert(list.list, slots);
    }

    /// Keeps what stays of a list that can be read, and has no effect of its own.
    pub(super) fn keep_held_back(&mut self, list: &IncomingList, previous: &mut Previous) {
        let (Ok(incoming), Some(why)) = (&list.entries, &list.held_back) else {
            return;
        };
        let mut kept = Vec::new();
        for (index, incoming) in incoming.iter().enumerate() {
            let spot = Spot {
                place: (list.list, index),
                position: incoming.position.clone(),
                age: list.age(index),
                why,
            };
            let entry = match &incoming.what {
                What::Mapping(mapping, _) => self.keep_readable(mapping, &spot, previous),
                What::Account(account) => self.keep_account(account, &spot, previous),
                // It has a reason of its own.
                What::Broken(_) => continue,
            };
            if let Ok(entry) = entry {
                kept.push(entry.clone());
                self.set_slot(spot.place, entry);
            }
        }
        let kept_out = kept.is_empty().then_some(KeptOut::NoLastGood);
        self.refuse(&list.position, why, kept.iter(), kept_out);
    }

    /// Keeps what stays of each broken entry.
    pub(super) fn keep_broken(&mut self, list: &IncomingList, previous: &mut Previous) {
        let Ok(incoming) = &list.entries else { return };
        for (index, incoming) in incoming.iter().enumerate() {
            let What::Broken(broken) = &incoming.what else {
                continue;
            };
            let Broken {
                refusal, partial, ..
            } = &**broken;
            let spot = Spot {
                place: (list.list, index),
                position: incoming.position.clone(),
                age: list.age(index),
                why: refusal,
            };
            let kept = match partial {
                Some(partial) => self.keep_entry(partial, &spot, previous),
                None => Err(KeptOut::Account),
            };
            match kept {
                Ok(entry) => {
                    self.refuse(&spot.position, refusal, [&entry].into_iter(), None);
                    self.set_slot(spot.place, entry);
                }
                Err(why) => self.refuse(&spot.position, refusal, [].into_iter(), Some(why)),
            }
            if let Some(refused) = self.update.refused.last_mut() {
                refused.subject = partial.as_ref().and_then(PartialEntry::subject_text);
            }
        }
    }

    /// Keeps the protected entries of a list in which something is broken: one of those may be what they were.
    pub(super) fn keep_protected(
        &mut self,
        list: &IncomingList,
        is_held_back: bool,
        previous: &mut Previous,
    ) {
        let is_misspelled = list.held_back.is_some() && !is_held_back;
        if list.entries.is_err() || !(is_misspelled || list.has_broken()) {
            return;
        }
        let broken = list.entries.iter().flatten();
        let why = broken.into_iter().find_map(|entry| match &entry.what {
            What::Broken(broken) => Some(&broken.refusal),
            What::Mapping(..) | What::Account(_) => None,
        });
        let Some(why) = list.held_back.as_ref().or(why) else {
            return;
        };
        let is_it = |place: Place, entry: &Entry| {
            place.0 == list.list && self.is_protected(entry) && !self.accepted.has_subject_of(entry)
        };
        let entries = previous.take_all(is_it);
        for (number, entry) in entries.into_iter().enumerate() {
            let index = self.lists.get(&list.list).map_or(0, Vec::len);
            let spot = Spot {
                place: (list.list, index),
                position: format!("{}[kept {number}]", list.position),
                age: list.age(index),
                why,
            };
            if let Ok(entry) = self.keep(entry, &spot, Basis::Protected) {
                self.refuse(&spot.position, why, [&entry].into_iter(), None);
                self.lists.entry(list.list).or_default().push(Some(entry));
            }
        }
    }

    /// The next state, and what it changes.
    pub(super) fn finish(mut self, previous: &Previous) -> (Lists, Update) {
        self.update.removed = previous.count.saturating_sub(self.carried);
        (self.lists, self.update)
    }

    /// Keeps what stays of the last good form of `newest`.
    fn keep_entry(
        &mut self,
        newest: &PartialEntry,
        spot: &Spot<'_>,
        previous: &mut Previous,
    ) -> Result<Entry, KeptOut> {
        let last = previous.take_last_good(spot.place, newest, &self.accepted)?;
        if self.is_protected(&last) {
            return self.keep(last, spot, Basis::Protected);
        }
        let Form::Mapping(mapping) = &last.form else {
            return Err(KeptOut::NoLastGood);
        };
        let form = Form::Mapping(Box::new(retain(mapping, newest)?));
        self.keep(Entry { form, ..last }, spot, Basis::BothTexts)
    }

    /// Keeps what stays of the last good form of `newest`, which can be read and is not in effect. There is no doubt what
    /// it says, also of a protected entry. Its username stays with the settings that it was written for: what is meant to
    /// check a new one may not be in effect either.
    fn keep_readable(
        &mut self,
        newest: &Mapping,
        spot: &Spot<'_>,
        previous: &mut Previous,
    ) -> Result<Entry, KeptOut> {
        let newest = PartialEntry::of(newest);
        let last = previous.take_last_good(spot.place, &newest, &self.accepted)?;
        let Form::Mapping(mapping) = &last.form else {
            return Err(KeptOut::NoLastGood);
        };
        let retained = retain(mapping, &newest)?;
        if retained.username != mapping.username {
            return Err(KeptOut::Username);
        }
        let form = Form::Mapping(Box::new(retained));
        self.keep(Entry { form, ..last }, spot, Basis::BothTexts)
    }

    fn keep_account(
        &mut self,
        account: &AccountId,
        spot: &Spot<'_>,
        previous: &mut Previous,
    ) -> Result<Entry, KeptOut> {
        let subject = SubjectKey::account(account.as_str());
        let last = previous.take_account(&subject).ok_or(KeptOut::NoLastGood)?;
        self.keep(last, spot, Basis::BothTexts)
    }

    /// Keeps `entry`, unless that would stand in the way of what is good.
    fn keep(&mut self, mut entry: Entry, spot: &Spot<'_>, basis: Basis) -> Result<Entry, KeptOut> {
        let Terms { now, ttl, .. } = *self.terms;
        if ttl <= 0 {
            return Err(KeptOut::Over);
        }
        if self.accepted.answers_instead_of(&entry, spot.place) {
            return Err(KeptOut::WrittenElsewhere);
        }
        let rule = match &mut entry.form {
            Form::Account(_) => None,
            Form::Mapping(mapping) => {
                mapping.source.position.clone_from(&spot.position);
                mapping.age = spot.age;
                let rule = Rule::compile(Mapping::clone(mapping));
                Some(rule.map_err(|_| KeptOut::Condition)?)
            }
        };
        let reason = spot.why.reason.clone();
        entry.effect.kept = Some(match entry.effect.kept.take() {
            Some(kept) => kept.again(reason, basis),
            None => Kept::new(now, ttl, reason, basis),
        });
        self.carried += 1;
        self.update.put(&spot.position, &entry, rule);
        Ok(entry)
    }

    fn is_protected(&self, entry: &Entry) -> bool {
        let (Some(protected), Form::Mapping(mapping)) = (self.terms.protected, &entry.form) else {
            return false;
        };
        let rule = Rule::compile(Mapping::clone(mapping));
        rule.is_ok_and(|rule| protected.protects_subject(rule.subject()))
    }

    /// Whether `entry`, of `list`, has wildcards that the document no longer takes for such.
    fn means_less_now(&self, list: List, entry: &Entry) -> bool {
        let Form::Mapping(mapping) = &entry.form else {
            return false;
        };
        matches!(list, List::Roles | List::Users)
            && mapping.globs == Globs::Wildcards
            && self.globs == Some(Globs::Literal)
            && Pattern::has_wildcard(&mapping.arn)
    }

    fn set_slot(&mut self, (list, index): Place, entry: Entry) {
        let slots = self.lists.get_mut(&list);
        if let Some(slot) = slots.and_then(|slots| slots.get_mut(index)) {
            *slot = Some(entry);
        }
    }

    fn refuse<'e>(
        &mut self,
        position: &str,
        why: &Refusal,
        kept: impl Iterator<Item = &'e Entry>,
        kept_out: Option<KeptOut>,
    ) {
        self.update.refused.push(Refused {
            position: position.to_owned(),
            subject: None,
            why: why.clone(),
            kept: kept.filter_map(Entry::retained).collect(),
            kept_out,
        });
    }
}

impl Update {
    fn put(&mut self, position: &str, entry: &Entry, rule: Option<Rule>) {
        self.rules.extend(rule);
        if let Form::Account(account) = &entry.form {
            self.accounts.push((position.to_owned(), account.clone()));
        }
        self.in_effect
            .insert(position.to_owned(), entry.effect.clone());
    }
}
