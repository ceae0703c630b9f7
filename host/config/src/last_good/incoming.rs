//! The newest text of a document, with each entry as a rule, an account or an error.

use std::collections::BTreeMap;

use ack_ram_core::arn::AccountId;
use ack_ram_core::rules::{Backend, Mapping, Precedence, Rule};

use super::previous::PreviousEntries;
use crate::diagnostic::{Diagnostic, DiagnosticCode, Severity};
use crate::entry::{InvalidEntry, ListItem, MappingList};
use crate::partial_entry::PartialEntry;
use crate::{Located, ParsedMappings};

/// A list in the newest text.
pub(super) struct IncomingList {
    pub(super) list: MappingList,
    /// Name of the list, such as `server.mapRoles`.
    pub(super) position: String,
    /// Entries, or the error that makes the list unreadable.
    pub(super) entries: Result<Vec<IncomingEntry>, Diagnostic>,
    /// Reason why the entries are readable but do not take effect.
    pub(super) inactive_because: Option<Diagnostic>,
    first_age: usize,
}

/// An entry in the newest text.
pub(super) struct IncomingEntry {
    /// Name of the entry, such as `server.mapRoles[2]`.
    pub(super) position: String,
    pub(super) kind: IncomingKind,
}

/// The content of an entry.
pub(super) enum IncomingKind {
    Mapping(Box<Mapping>, Box<Rule>),
    Account(AccountId),
    Invalid(Box<InvalidEntry>),
}

impl IncomingList {
    /// Returns the precedence of the entry at `index` among all entries of the document.
    pub(super) fn age(&self, index: usize) -> Precedence {
        Precedence::ListIndex(self.first_age + index)
    }

    /// Returns whether the list has an invalid entry.
    pub(super) fn has_invalid(&self) -> bool {
        let entries = self.entries.iter().flatten();
        entries
            .into_iter()
            .any(|entry| matches!(entry.kind, IncomingKind::Invalid(_)))
    }
}

/// Compiles the lists of `document`. With `inactive_because`, none of its entries takes effect. An unreadable list
/// takes up as many places as it did in `previous`.
pub(super) fn compile_lists(
    backend: Backend,
    mut document: ParsedMappings,
    inactive_because: Option<&Diagnostic>,
    previous: &PreviousEntries,
) -> Vec<IncomingList> {
    let prefix = match backend {
        Backend::MountedFile => "server.",
        Backend::ConfigMap | Backend::Crd | Backend::DynamicFile => "",
    };
    let lists = std::mem::take(&mut document.lists);
    let mut misspelled = std::mem::take(&mut document.inactive_lists);
    let mut content = UnclaimedEntries::new(document);
    let mut first_age = 0;
    let mut incoming = Vec::new();
    for (list, slots) in lists {
        let misspelled = misspelled.remove(&list);
        let (entries, why) = match (slots, misspelled) {
            (Err(why), Some(content)) => (compile_all(*content, list, first_age), Some(why)),
            (Err(why), None) => (Err(why), None),
            (Ok(slots), _) => (
                Ok(content.compile(slots, first_age)),
                inactive_because.cloned(),
            ),
        };
        let length = match &entries {
            Ok(entries) => entries.len(),
            Err(_) => previous.length(list),
        };
        incoming.push(IncomingList {
            list,
            position: format!("{prefix}{}", list.key()),
            entries,
            inactive_because: why,
            first_age,
        });
        first_age += length;
    }
    incoming
}

/// Compiles the entries of `list` in `document`, which has no other list.
fn compile_all(
    mut document: ParsedMappings,
    list: MappingList,
    first_age: usize,
) -> Result<Vec<IncomingEntry>, Diagnostic> {
    let mut lists = std::mem::take(&mut document.lists);
    let slots = lists.remove(&list).unwrap_or_else(|| Ok(Vec::new()))?;
    Ok(UnclaimedEntries::new(document).compile(slots, first_age))
}

/// The entries of a document, each of which is taken once.
struct UnclaimedEntries {
    mappings: Vec<Option<Located<Mapping>>>,
    accounts: Vec<Option<Located<AccountId>>>,
    narrowing_keys: BTreeMap<usize, String>,
}

impl UnclaimedEntries {
    fn new(document: ParsedMappings) -> Self {
        Self {
            mappings: document.mappings.into_iter().map(Some).collect(),
            accounts: document.accounts.into_iter().map(Some).collect(),
            narrowing_keys: document.narrowing_keys,
        }
    }

    fn compile(&mut self, slots: Vec<ListItem>, first_age: usize) -> Vec<IncomingEntry> {
        let slots = slots.into_iter().enumerate();
        let entries = slots.filter_map(|(index, slot)| match slot {
            ListItem::Invalid(invalid) => Some(IncomingEntry {
                position: invalid.position.clone(),
                kind: IncomingKind::Invalid(invalid),
            }),
            ListItem::Mapping(place) => {
                let given = self.mappings.get_mut(place)?.take()?;
                let key = self.narrowing_keys.remove(&place);
                Some(compile_mapping(
                    given,
                    Precedence::ListIndex(first_age + index),
                    key,
                ))
            }
            ListItem::Account(place) => {
                let given = self.accounts.get_mut(place)?.take()?;
                Some(IncomingEntry {
                    position: given.setting,
                    kind: IncomingKind::Account(given.value),
                })
            }
        });
        entries.collect()
    }
}

fn compile_mapping(
    given: Located<Mapping>,
    age: Precedence,
    unknown_key: Option<String>,
) -> IncomingEntry {
    let mapping = Mapping {
        precedence: age,
        ..given.value
    };
    let kind = match Rule::compile(mapping.clone()) {
        Ok(rule) => IncomingKind::Mapping(Box::new(mapping), Box::new(rule)),
        Err(error) => IncomingKind::Invalid(Box::new(InvalidEntry {
            position: given.setting.clone(),
            refusal: Diagnostic::new(
                DiagnosticCode::InvalidEntry,
                Severity::Error,
                given.location,
                error,
            ),
            partial: Some(PartialEntry {
                unknown_key,
                ..PartialEntry::from_mapping(&mapping)
            }),
        })),
    };
    IncomingEntry {
        position: given.setting,
        kind,
    }
}
