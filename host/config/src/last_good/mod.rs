//! The entries of a document that are in effect, and the last good forms that are kept after an invalid edit. No I/O.
//!
//! An invalid edit removes only the access that it plainly removes:
//!
//! - A deleted entry, list or document loses its effect immediately, and never regains it.
//! - An invalid entry keeps the access that both its newest text and its last good form grant ([`retain()`]). In doubt,
//!   the entry keeps nothing, unless `server.protect` names its subject. The last good form of an entry is found by its
//!   subject, independent of its place.
//! - Unreadable text (a syntax error, a wrong type, an empty file) changes nothing: all previous entries stay in
//!   effect. A null list, or a list that contains only comments, maps no identities.
//! - A kept form is compared with the next edit in its kept state. It expires when `server.lastGoodTTL` has passed
//!   since the first invalid edit.

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

/// Default of `server.lastGoodTTL`, in seconds.
pub const DEFAULT_LAST_GOOD_TTL: i64 = 24 * 60 * 60;
/// Maximum number of entries that a message lists.
const MAX_LISTED: usize = 3;

/// The entries of a document that are in effect.
#[derive(Debug)]
pub struct LastGood {
    backend: Backend,
    lists: ActiveLists,
}

/// The time to keep last good forms, and the protected identities.
#[derive(Clone, Copy, Debug)]
pub struct RetentionPolicy<'a> {
    /// Current time.
    pub now: UnixTime,
    /// `server.lastGoodTTL`, in seconds.
    pub ttl: i64,
    /// `server.protect`. In doubt, the whole last good form of these identities is kept.
    pub protected: Option<&'a ProtectedIdentities>,
}

/// Entries by list and index; `None` for an entry that has no effect.
type ActiveLists = BTreeMap<MappingList, Vec<Option<ActiveEntry>>>;

/// List and index of an entry.
type EntryIndex = (MappingList, usize);

/// An entry that is in effect.
#[derive(Clone, Debug)]
struct ActiveEntry {
    form: EntryForm,
    /// `None` if the entry has only a condition.
    subject: Option<SubjectKey>,
    activation: Activation,
}

/// The mapping or account of an entry.
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

    /// Applies a whole document. Valid entries take effect, and invalid entries keep parts of their last good form.
    /// Nothing else stays in effect.
    pub fn apply(&mut self, document: ParsedMappings, terms: &RetentionPolicy<'_>) -> Update {
        self.apply_document(document, None, terms)
    }

    /// Keeps all previous entries because the document as a whole cannot be read. `why` is the reason.
    pub fn keep_last_good(&mut self, why: &Diagnostic, terms: &RetentionPolicy<'_>) -> Update {
        let lists = self.lists.keys().map(|list| (*list, Err(why.clone())));
        let document = ParsedMappings {
            lists: lists.collect(),
            ..ParsedMappings::default()
        };
        self.apply_document(document, None, terms)
    }

    /// Keeps the previous entries, restricted to what the lists of `document` still grant. The document as a whole is
    /// refused because of `why`, which is not about its lists.
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
        // Valid entries come first, because a kept form must not block them.
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

/// The effect of a document on the rules of its backend.
#[derive(Debug, Default)]
pub struct Update {
    /// Rules in effect.
    pub rules: Vec<Rule>,
    /// Accounts in effect, with their positions.
    pub accounts: Vec<(String, AccountId)>,
    /// Activation of each rule and account, by position.
    pub in_effect: HashMap<String, Activation>,
    /// Refused entries and lists.
    pub refused: Vec<RefusedEntry>,
    /// Number of entries that took effect in this form.
    pub added: usize,
    /// Number of entries that lost their effect.
    pub removed: usize,
}

/// A refused entry or list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedEntry {
    /// Name of the entry, such as `server.mapRoles[2]`, or of the list, such as `mapUsers`.
    pub position: String,
    /// ARN, pattern or ID in the newest text of an entry.
    pub subject: Option<String>,
    /// Error in the entry or list.
    pub why: Diagnostic,
    /// Last good forms that are kept in its place.
    pub kept: Vec<Retained>,
    /// Reason why nothing, or nothing else, is kept.
    pub retention_error: Option<RetentionError>,
}

/// A last good form that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retained {
    /// Subject, username and groups.
    pub description: String,
    /// Time when the form expires.
    pub until: UnixTime,
    /// Reason why the form is kept.
    pub basis: RetentionBasis,
}

impl RefusedEntry {
    /// Returns when the last kept form expires; `None` if nothing is kept.
    #[must_use]
    pub fn kept_until(&self) -> Option<UnixTime> {
        self.kept.iter().map(|kept| kept.until).max()
    }

    /// Returns the error and, if nothing is kept, the reason for that.
    #[must_use]
    pub fn reason(&self) -> String {
        let reason = self.why.text();
        match &self.retention_error {
            Some(why) if self.kept.is_empty() => format!("{reason}; nothing is kept: {why}"),
            _ => reason,
        }
    }
}

/// Formats the message for the author of the edit.
impl fmt::Display for RefusedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = &self.why;
        if self.kept.is_empty() {
            write!(f, "{why}; it maps no identity")?;
            return match &self.retention_error {
                Some(why) => write!(f, ", and nothing is kept: {why}"),
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
            write!(f, "{comma} {description} until {until}, because {basis}")?;
        }
        match self.kept.len().checked_sub(MAX_LISTED) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, ", and {more} more"),
        }
    }
}

impl Update {
    /// Returns the number of mappings and accounts in effect.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "no caller needs it")]
    pub fn len(&self) -> usize {
        self.rules.len() + self.accounts.len()
    }

    /// Returns how many of the mappings and accounts in effect are kept last good forms.
    #[must_use]
    pub fn retained_count(&self) -> usize {
        let effects = self.in_effect.values();
        effects.filter(|effect| effect.retention.is_some()).count()
    }

    /// Returns the kept forms of all refused entries and lists.
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

    /// Returns the ARN of the entry; `None` if the entry has none.
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

    /// Returns whether both forms are equal, independent of their positions.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Account(this), Self::Account(other)) => this == other,
            (Self::Mapping(this), Self::Mapping(other)) => {
                let moved = Mapping {
                    source: other.source.clone(),
                    precedence: other.precedence,
                    ..(**this).clone()
                };
                moved == **other
            }
            (Self::Account(_), Self::Mapping(_)) | (Self::Mapping(_), Self::Account(_)) => false,
        }
    }
}
