//! What the entries of a document map now, and the last good forms of those that an edit has broken. Without I/O.

mod earlier;
mod good;
mod written;

use std::collections::BTreeMap;
use std::fmt;

use ack_ram_core::arn::{AccountId, Arn, ArnKey};
use ack_ram_core::rules::subject::Subject;
use ack_ram_core::rules::{Age, Backend, Mapping, Rule};
use ack_ram_core::time::UnixTime;

use crate::backends::live::{BackendNotes, Edit, Effect, KEPT_SECONDS, Kept};
use crate::config::FileMappings;
use crate::config::entry::{List, Part, Refusal, Whom};
use earlier::Earlier;
use good::Good;
use written::{What, WrittenList};

/// The entries of a document that are in effect.
#[derive(Debug)]
pub(super) struct LastGood {
    backend: Backend,
    lists: Lists,
}

/// By list and place; nothing where the entry there has no effect.
type Lists = BTreeMap<List, Vec<Option<Entry>>>;

/// One place of one list.
type Place = (List, usize);

/// An entry that is in effect.
#[derive(Clone, Debug)]
struct Entry {
    form: Form,
    /// `None` when a condition alone tells.
    whom: Option<Whom>,
    effect: Effect,
}

/// What an entry maps.
#[derive(Clone, Debug)]
enum Form {
    Mapping(Box<Mapping>),
    Account(AccountId),
}

impl LastGood {
    /// Nothing has been read yet.
    pub(super) fn new(backend: Backend) -> Self {
        Self {
            backend,
            lists: Lists::new(),
        }
    }

    /// Takes in a whole document: what is good in it is in effect, of what is broken the last good form, for a day, and
    /// nothing else.
    pub(super) fn read(&mut self, document: FileMappings, now: UnixTime) -> Update {
        let mut earlier = Earlier::new(std::mem::take(&mut self.lists), now);
        let lists = written::read(self.backend, document, &earlier);
        let mut next = Next::new(now);
        // First what is written and good: nothing that is kept may stand in its way.
        for list in &lists {
            next.take_good(list, &mut earlier);
        }
        for list in &lists {
            next.keep_list(list, &mut earlier);
        }
        for list in &lists {
            next.keep_entries(list, &mut earlier);
        }
        next.update.removed = earlier.left();
        self.lists = next.lists;
        next.update
    }

    /// The document as a whole cannot be read, for this reason: all that it last was stays, for a day.
    pub(super) fn hold(&mut self, why: &Refusal, now: UnixTime) -> Update {
        let lists = self.lists.keys().map(|list| (*list, Err(why.clone())));
        let document = FileMappings {
            lists: lists.collect(),
            ..FileMappings::default()
        };
        self.read(document, now)
    }
}

/// What is wrong with a document as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    None,
    /// It cannot be read.
    Source(String),
    /// It cannot be used. The reason may quote it.
    Content(String),
}

impl Trouble {
    pub(super) fn note(self, edit: &mut Edit<'_>) {
        match self {
            Self::None => edit.set_trouble(None),
            Self::Source(reason) => edit.set_trouble(Some(reason)),
            Self::Content(reason) => edit.set_broken(reason),
        }
    }
}

/// What a document makes of the rules of its backend.
#[derive(Debug, Default)]
pub(super) struct Update {
    rules: Vec<Rule>,
    accounts: Vec<AccountId>,
    notes: BackendNotes,
    /// What of it cannot be used.
    pub(super) refused: Vec<Refused>,
    /// How many entries are in effect that were not, in this form.
    pub(super) added: usize,
    /// How many are in effect no longer.
    pub(super) removed: usize,
}

/// An entry, or a list, that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// Such as `server.mapRoles[2]`, or `mapUsers` for a list.
    pub(super) position: String,
    pub(super) why: Refusal,
    /// Until when its last good form stays, if it has one.
    pub(super) kept_until: Option<UnixTime>,
}

/// As whoever has edited it is told.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = &self.why;
        match self.kept_until {
            Some(until) => write!(f, "{why}; its last good form stays until {until}"),
            None => write!(f, "{why}; until then it maps nobody"),
        }
    }
}

impl Update {
    /// How many mappings and accounts are in effect.
    pub(super) fn len(&self) -> usize {
        self.rules.len() + self.accounts.len()
    }

    /// How many of them are no longer written.
    pub(super) fn kept(&self) -> usize {
        let effects = self.notes.in_effect.values();
        effects.filter(|effect| effect.kept.is_some()).count()
    }

    /// Puts it in effect, all at once.
    pub(super) fn put_into(self, edit: &mut Edit<'_>, trouble: Trouble) {
        let mut rules = edit.rules().clone();
        rules.reset();
        for rule in self.rules {
            rules.apply(rule);
        }
        for account in self.accounts {
            rules.apply_account(account);
        }
        edit.replace(rules, self.notes);
        trouble.note(edit);
    }
}

/// The next state, while it is put together.
struct Next {
    now: UnixTime,
    lists: Lists,
    good: Good,
    update: Update,
}

impl Next {
    fn new(now: UnixTime) -> Self {
        Self {
            now,
            lists: Lists::new(),
            good: Good::default(),
            update: Update::default(),
        }
    }

    fn take_good(&mut self, list: &WrittenList, earlier: &mut Earlier) {
        let Ok(written) = &list.entries else { return };
        let entries = written.iter().enumerate();
        let entries = entries.map(|(index, written)| {
            let (form, whom, rule) = match &written.what {
                What::Broken(broken) => {
                    if let Part::Is(whom) = &broken.outline.whom {
                        self.good.add_written(whom);
                    }
                    return None;
                }
                What::Mapping(mapping, rule) => (
                    Form::Mapping(mapping.clone()),
                    Whom::of(rule),
                    Some(&**rule),
                ),
                What::Account(account) => {
                    let whom = Some(Whom::account(account.as_str()));
                    (Form::Account(account.clone()), whom, None)
                }
            };
            let since = earlier.take_same(list.list, whom.as_ref(), &form);
            if since.is_none() {
                self.update.added += 1;
            }
            let place = (list.list, index);
            self.good.add(whom.as_ref(), place, &form, since.is_none());
            if let (Some(Subject::Pattern(pattern)), None) = (rule.map(Rule::subject), since) {
                self.good.add_fresh_pattern(pattern);
            }
            let effect = Effect {
                since: since.unwrap_or(self.now),
                kept: None,
            };
            let entry = Entry { form, whom, effect };
            self.update.put(&written.position, &entry, rule.cloned());
            Some(entry)
        });
        let entries = entries.collect();
        self.lists.insert(list.list, entries);
    }

    /// Of a list that cannot be read, all that it last was stays.
    fn keep_list(&mut self, list: &WrittenList, earlier: &mut Earlier) {
        let Err(why) = &list.entries else { return };
        let earlier = earlier.take_list(list.list).into_iter().enumerate();
        let kept = earlier.map(|(index, entry)| {
            let position = format!("{}[{index}]", list.position);
            self.keep(entry?, (list.list, index), &position, list.age(index), why)
        });
        let kept: Vec<Option<Entry>> = kept.collect();
        let kept_until = kept.iter().flatten().filter_map(Entry::kept_until).max();
        self.update.refuse(&list.position, why, kept_until);
        self.lists.insert(list.list, kept);
    }

    /// Of each broken entry, what it last was stays.
    fn keep_entries(&mut self, list: &WrittenList, earlier: &mut Earlier) {
        let Ok(written) = &list.entries else { return };
        for (index, entry) in written.iter().enumerate() {
            let What::Broken(broken) = &entry.what else {
                continue;
            };
            let why = &broken.refusal;
            let outline = &broken.outline;
            let place = (list.list, index);
            let kept = match earlier.take_named(place, outline) {
                Some(named) => self.keep(named, place, &entry.position, list.age(index), why),
                None => earlier
                    .take_at(place, written.len(), outline, &self.good)
                    .and_then(|other| {
                        self.keep(other, place, &entry.position, list.age(index), why)
                    }),
            };
            let kept_until = kept.as_ref().and_then(Entry::kept_until);
            self.update.refuse(&entry.position, why, kept_until);
            let entries = self.lists.get_mut(&list.list);
            if let Some(slot) = entries.and_then(|entries| entries.get_mut(index)) {
                *slot = kept;
            }
        }
    }

    /// `entry` stays, at `place`, where something broken is written; unless that would stand in the way of what is good.
    fn keep(
        &mut self,
        mut entry: Entry,
        place: Place,
        position: &str,
        age: Age,
        why: &Refusal,
    ) -> Option<Entry> {
        if self.good.answers_instead_of(&entry, place) {
            return None;
        }
        let rule = match &mut entry.form {
            Form::Account(_) => None,
            Form::Mapping(mapping) => {
                mapping.source.position = position.to_owned();
                mapping.age = age;
                // It could be compiled before.
                Some(Rule::compile((**mapping).clone()).ok()?)
            }
        };
        let since = entry.effect.kept.map_or(self.now, |kept| kept.since);
        let reason = why.reason.clone();
        entry.effect.kept = Some(Kept { since, reason });
        self.update.put(position, &entry, rule);
        Some(entry)
    }
}

impl Update {
    fn put(&mut self, position: &str, entry: &Entry, rule: Option<Rule>) {
        self.rules.extend(rule);
        if let Form::Account(account) = &entry.form {
            let accounts = &mut self.notes.accounts;
            accounts.insert(position.to_owned(), account.clone());
            self.accounts.push(account.clone());
        }
        let in_effect = &mut self.notes.in_effect;
        in_effect.insert(position.to_owned(), entry.effect.clone());
    }

    fn refuse(&mut self, position: &str, why: &Refusal, kept_until: Option<UnixTime>) {
        let position = position.to_owned();
        let refused = &mut self.notes.refused;
        refused.insert(position.clone(), why.reason.clone());
        self.refused.push(Refused {
            position,
            why: why.clone(),
            kept_until,
        });
    }
}

impl Entry {
    fn kept_until(&self) -> Option<UnixTime> {
        let kept = self.effect.kept.as_ref()?;
        Some(kept.since.plus_seconds(KEPT_SECONDS))
    }

    /// The ARN, if it is about one.
    fn arn(&self) -> Option<ArnKey> {
        match &self.form {
            Form::Mapping(mapping) => {
                let arn = mapping.arn_pattern.as_ref().unwrap_or(&mapping.arn);
                Arn::parse(arn).ok().map(|arn| arn.key())
            }
            Form::Account(_) => None,
        }
    }
}

impl Form {
    fn has_condition(&self) -> bool {
        match self {
            Self::Mapping(mapping) => mapping.condition.is_some(),
            Self::Account(_) => false,
        }
    }

    /// Whether both map the same, wherever they stand.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Account(this), Self::Account(other)) => this == other,
            (Self::Mapping(this), Self::Mapping(other)) => {
                let there = Mapping {
                    source: other.source.clone(),
                    age: other.age,
                    ..(**this).clone()
                };
                there == **other
            }
            (Self::Account(_), Self::Mapping(_)) | (Self::Mapping(_), Self::Account(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests;
