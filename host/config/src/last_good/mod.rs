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
mod activation;
mod incoming;
mod previous;
mod retain;
mod subject;
mod update_builder;

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use ack_ram_core::arn::{AccountId, Arn, ArnKey};
use ack_ram_core::rules::{Backend, Mapping, ProtectedIdentities, Rule};
use ack_ram_core::time::UnixTime;

use crate::ParsedMappings;
use crate::diagnostic::Diagnostic;
use crate::entry::MappingList;
pub use activation::{Activation, Retention, RetentionBasis, describe_mapping};
use previous::PreviousEntries;
pub use retain::{RetentionError, retain};
pub use subject::{NamedSubject, SubjectKey};
use update_builder::UpdateBuilder;

/// `server.lastGoodTTL` unless it is set, in seconds.
pub const DEFAULT_LAST_GOOD_TTL: i64 = 24 * 60 * 60;
/// How many entries a message names.
const MAX_LISTED: usize = 3;

/// The entries of a document that are in effect.
#[derive(Debug)]
pub struct LastGood {
    backend: Backend,
    lists: ActiveLists,
}

/// How long last good forms are retained, and for which protected subjects.
#[derive(Clone, Copy, Debug)]
pub struct RetentionPolicy<'a> {
    /// Now.
    pub now: UnixTime,
    /// `server.lastGoodTTL` in seconds.
    pub ttl: i64,
    /// `server.protect`, of the configuration file. Of these, the whole form stays in doubt.
    pub protected: Option<&'a ProtectedIdentities>,
}

/// By list and place; nothing where the entry there has no effect.
type ActiveLists = BTreeMap<MappingList, Vec<Option<ActiveEntry>>>;

/// One place of one list.
type EntryIndex = (MappingList, usize);

/// An entry that is in effect.
#[derive(Clone, Debug)]
struct ActiveEntry {
    form: EntryForm,
    /// `None` when a condition alone tells.
    subject: Option<SubjectKey>,
    activation: Activation,
}

/// What an entry maps.
#[derive(Clone, Debug)]
enum EntryForm {
    Mapping(Box<Mapping>),
    Account(AccountId),
}

impl LastGood {
    /// Returns the state before the first document.
    #[must_use]
    pub fn new(backend: Backend) -> Self {
        Self {
            backend,
            lists: ActiveLists::new(),
        }
    }

    /// Takes in a whole document: what is good in it is in effect, of what is broken what stays, and nothing else.
    pub fn apply(&mut self, document: ParsedMappings, terms: &RetentionPolicy<'_>) -> Update {
        self.apply_document(document, None, terms)
    }

    /// The document as a whole cannot be read, for this reason: all that was in effect stays.
    pub fn keep_last_good(&mut self, why: &Diagnostic, terms: &RetentionPolicy<'_>) -> Update {
        let lists = self.lists.keys().map(|list| (*list, Err(why.clone())));
        let document = ParsedMappings {
            lists: lists.collect(),
            ..ParsedMappings::default()
        };
        self.apply_document(document, None, terms)
    }

    /// The document as a whole is refused, for a reason beside its lists: what was in effect stays, but for what the lists
    /// no longer give.
    pub fn restrict_to(
        &mut self,
        document: ParsedMappings,
        why: &Diagnostic,
        terms: &RetentionPolicy<'_>,
    ) -> Update {
        self.apply_document(document, Some(why), terms)
    }

    fn apply_document(
        &mut self,
        document: ParsedMappings,
        inactive_because: Option<&Diagnostic>,
        terms: &RetentionPolicy<'_>,
    ) -> Update {
        let mut previous = PreviousEntries::new(std::mem::take(&mut self.lists), terms);
        let globs = document.globs;
        let lists = incoming::compile_lists(self.backend, document, inactive_because, &previous);
        let mut builder = UpdateBuilder::new(terms, globs);
        // First what is written and good: nothing that is kept may stand in its way.
        for list in &lists {
            builder.add_accepted(list, &mut previous);
        }
        for list in &lists {
            builder.keep_unreadable(list, &mut previous);
        }
        for list in &lists {
            builder.keep_inactive(list, &mut previous);
            builder.keep_invalid(list, &mut previous);
        }
        for list in &lists {
            builder.keep_protected(list, inactive_because.is_some(), &mut previous);
        }
        let (lists, update) = builder.finish(&previous);
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
    pub in_effect: HashMap<String, Activation>,
    /// What of it cannot be used.
    pub refused: Vec<RefusedEntry>,
    /// How many entries are in effect that were not, in this form.
    pub added: usize,
    /// How many are in effect no longer.
    pub removed: usize,
}

/// An entry, or a list, that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedEntry {
    /// Such as `server.mapRoles[2]`, or `mapUsers` for a list.
    pub position: String,
    /// The ARN, pattern or id that the newest text of an entry names.
    pub subject: Option<String>,
    /// What is wrong.
    pub why: Diagnostic,
    /// What stays of it.
    pub kept: Vec<Retained>,
    /// Why nothing stays; or nothing more.
    pub retention_error: Option<RetentionError>,
}

/// A last good form that stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retained {
    /// The subject, the username and the groups.
    pub description: String,
    /// When it ends.
    pub until: UnixTime,
    /// Why it stays.
    pub basis: RetentionBasis,
}

impl RefusedEntry {
    /// When the last of what stays ends.
    #[must_use]
    pub fn kept_until(&self) -> Option<UnixTime> {
        self.kept.iter().map(|kept| kept.until).max()
    }

    /// The reason, and why nothing stays.
    #[must_use]
    pub fn reason(&self) -> String {
        let reason = self.why.text();
        match &self.retention_error {
            Some(why) if self.kept.is_empty() => format!("{reason}; nothing of it is kept: {why}"),
            _ => reason,
        }
    }
}

/// As the author of the edit is notified.
impl fmt::Display for RefusedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = &self.why;
        if self.kept.is_empty() {
            write!(f, "{why}; it maps nobody")?;
            return match &self.retention_error {
                Some(why) => write!(f, ", and nothing of it is kept: {why}"),
                None => Ok(()),
            };
        }
        write!(f, "{why}; kept:")?;
        for (
            index,
            Retained {
                description,
                until,
                basis,
            },
        ) in self.kept.iter().take(MAX_LISTED).enumerate()
        {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma} {description} until {until}, since {basis}")?;
        }
        match self.kept.len().checked_sub(MAX_LISTED) {
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
    pub fn retained_count(&self) -> usize {
        let effects = self.in_effect.values();
        effects.filter(|effect| effect.retention.is_some()).count()
    }

    /// All that stays, of entries and lists alike.
    pub fn retained(&self) -> impl Iterator<Item = &Retained> {
        self.refused.iter().flat_map(|refused| &refused.kept)
    }
}

impl ActiveEntry {
    fn retained(&self) -> Option<Retained> {
        let kept = self.activation.retention.as_ref()?;
        Some(Retained {
            description: match &self.form {
                EntryForm::Mapping(mapping) => describe_mapping(mapping),
                EntryForm::Account(account) => format!("all of account {account}"),
            },
            until: kept.until,
            basis: kept.basis,
        })
    }

    /// The ARN, if it is about one.
    fn arn(&self) -> Option<ArnKey> {
        match &self.form {
            EntryForm::Mapping(mapping) => {
                let arn = mapping
                    .spec
                    .arn_pattern
                    .as_ref()
                    .unwrap_or(&mapping.spec.arn);
                Arn::parse(arn).ok().map(|arn| arn.key())
            }
            EntryForm::Account(_) => None,
        }
    }
}

impl EntryForm {
    fn has_condition(&self) -> bool {
        match self {
            Self::Mapping(mapping) => mapping.spec.condition.is_some(),
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
                    precedence: other.precedence,
                    ..(**this).clone()
                };
                there == **other
            }
            (Self::Account(_), Self::Mapping(_)) | (Self::Mapping(_), Self::Account(_)) => false,
        }
    }
}
