//! What the entries of a document map now, and what stays in effect of those that an edit has broken. Without I/O.
//!
//! An edit that is broken takes away what it says, and nothing else:
//!
//! - An entry, a list or a document that is deleted is gone at once, and never comes back.
//! - Of a broken entry stays what its newest text and its last good form both give ([`retain()`]). In doubt, nothing stays,
//!   unless `server.protect` names its subject. The earlier form of an entry is the one with its subject, wherever that
//!   stood.
//! - What cannot be read at all (a syntax error, another type, an empty file) says nothing: all that was in effect stays.
//!   A null list, or one of comments alone, says: nobody.
//! - What stays is compared with the next edit as it stays, and ends when `server.lastGoodTTL` has passed since the first
//!   broken edit.

mod accepted;
mod effect;
mod incoming;
mod keeping;
mod previous;
mod retain;
mod subject;

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use ack_ram_core::arn::{AccountId, Arn, ArnKey};
use ack_ram_core::rules::{Backend, Mapping, Protected, Rule};
use ack_ram_core::time::UnixTime;

use crate::config::FileMappings;
use crate::config::entry::{List, Refusal};
pub use effect::{Basis, Effect, Kept, describe};
use keeping::Keeping;
use previous::Previous;
pub use retain::{KeptOut, retain};
pub use subject::{Named, SubjectKey};

/// `server.lastGoodTTL` unless it is set, in seconds.
pub const DEFAULT_TTL: i64 = 24 * 60 * 60;
/// How many entries a message names.
const MAX_NAMED: usize = 3;

/// The entries of a document that are in effect.
#[derive(Debug)]
pub struct LastGood {
    backend: Backend,
    lists: Lists,
}

/// How long, and for whom, last good forms stay.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// Now.
    pub now: UnixTime,
    /// `server.lastGoodTTL` in seconds.
    pub ttl: i64,
    /// `server.protect`, of the configuration file. Of these, the whole form stays in doubt.
    pub protected: Option<&'a Protected>,
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
    subject: Option<SubjectKey>,
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
    #[must_use]
    pub fn new(backend: Backend) -> Self {
        Self {
            backend,
            lists: Lists::new(),
        }
    }

    /// Takes in a whole document: what is good in it is in effect, of what is broken what stays, and nothing else.
    pub fn read(&mut self, document: FileMappings, terms: &Terms<'_>) -> Update {
        self.take(document, None, terms)
    }

    /// The document as a whole cannot be read, for this reason: all that was in effect stays.
    pub fn hold(&mut self, why: &Refusal, terms: &Terms<'_>) -> Update {
        let lists = self.lists.keys().map(|list| (*list, Err(why.clone())));
        let document = FileMappings {
            lists: lists.collect(),
            ..FileMappings::default()
        };
        self.take(document, None, terms)
    }

    /// The document as a whole is refused, for a reason beside its lists: what was in effect stays, but for what the lists
    /// no longer give.
    pub fn restrict(&mut self, document: FileMappings, why: &Refusal, terms: &Terms<'_>) -> Update {
        self.take(document, Some(why), terms)
    }

    fn take(
        &mut self,
        document: FileMappings,
        held_back: Option<&Refusal>,
        terms: &Terms<'_>,
    ) -> Update {
        let mut previous = Previous::new(std::mem::take(&mut self.lists), terms);
        let globs = document.globs;
        let lists = incoming::read(self.backend, document, held_back, &previous);
        let mut keeping = Keeping::new(terms, globs);
        // First what is written and good: nothing that is kept may stand in its way.
        for list in &lists {
            keeping.take_good(list, &mut previous);
        }
        for list in &lists {
            keeping.keep_unreadable(list, &mut previous);
        }
        for list in &lists {
            keeping.keep_held_back(list, &mut previous);
            keeping.keep_broken(list, &mut previous);
        }
        for list in &lists {
            keeping.keep_protected(list, held_back.is_some(), &mut previous);
        }
        let (lists, update) = keeping.finish(&previous);
        self.lists = lists;
        update
    }
}

/// What a document makes of the rules of its backend.
#[derive(Debug, Default)]
pub struct Update {
    /// The rules in effect.
    pub rules: Vec<Rule>,
    /// The accounts in effect, by position.
    pub accounts: Vec<(String, AccountId)>,
    /// Since when each is in effect, by position.
    pub in_effect: HashMap<String, Effect>,
    /// What of it cannot be used.
    pub refused: Vec<Refused>,
    /// How many entries are in effect that were not, in this form.
    pub added: usize,
    /// How many are in effect no longer.
    pub removed: usize,
}

/// An entry, or a list, that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Such as `server.mapRoles[2]`, or `mapUsers` for a list.
    pub position: String,
    /// The ARN, pattern or id that the newest text of an entry names.
    pub subject: Option<String>,
    /// What is wrong.
    pub why: Refusal,
    /// What stays of it.
    pub kept: Vec<Retained>,
    /// Why nothing stays; or nothing more.
    pub kept_out: Option<KeptOut>,
}

/// A last good form that stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retained {
    /// The subject, the username and the groups.
    pub what: String,
    /// When it ends.
    pub until: UnixTime,
    /// Why it stays.
    pub basis: Basis,
}

impl Refused {
    /// When the last of what stays ends.
    #[must_use]
    pub fn kept_until(&self) -> Option<UnixTime> {
        self.kept.iter().map(|kept| kept.until).max()
    }

    /// The reason, and why nothing stays.
    #[must_use]
    pub fn reason(&self) -> String {
        let reason = &self.why.reason;
        match &self.kept_out {
            Some(why) if self.kept.is_empty() => format!("{reason}; nothing of it is kept: {why}"),
            _ => reason.clone(),
        }
    }
}

/// As the author of the edit is notified.
impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = &self.why;
        if self.kept.is_empty() {
            write!(f, "{why}; it maps nobody")?;
            return match &self.kept_out {
                Some(why) => write!(f, ", and nothing of it is kept: {why}"),
                None => Ok(()),
            };
        }
        write!(f, "{why}; kept:")?;
        for (index, Retained { what, until, basis }) in self.kept.iter().take(MAX_NAMED).enumerate()
        {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma} {what} until {until}, since {basis}")?;
        }
        match self.kept.len().checked_sub(MAX_NAMED) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, ", and {more} more"),
        }
    }
}

impl Update {
    /// How many mappings and accounts are in effect.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        self.rules.len() + self.accounts.len()
    }

    /// How many of them are kept.
    #[must_use]
    pub fn kept(&self) -> usize {
        let effects = self.in_effect.values();
        effects.filter(|effect| effect.kept.is_some()).count()
    }

    /// All that stays, of entries and lists alike.
    pub fn retained(&self) -> impl Iterator<Item = &Retained> {
        self.refused.iter().flat_map(|refused| &refused.kept)
    }
}

impl Entry {
    fn retained(&self) -> Option<Retained> {
        let kept = self.effect.kept.as_ref()?;
        Some(Retained {
            what: match &self.form {
                Form::Mapping(mapping) => describe(mapping),
                Form::Account(account) => format!("all of account {account}"),
            },
            until: kept.until,
            basis: kept.basis,
        })
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
