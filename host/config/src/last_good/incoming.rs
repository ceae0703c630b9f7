//! A document as it is written now: each entry a rule, an account, or broken.

use std::collections::BTreeMap;

use ack_ram_core::arn::AccountId;
use ack_ram_core::rules::{Age, Backend, Mapping, Rule};

use super::previous::Previous;
use crate::config::entry::{Broken, List, Refusal, Slot};
use crate::config::partial::PartialEntry;
use crate::config::{FileMappings, Given};

/// One list.
pub(super) struct IncomingList {
    pub(super) list: List,
    /// How it is called, such as `server.mapRoles`.
    pub(super) position: String,
    /// Its entries; or why it cannot be read at all.
    pub(super) entries: Result<Vec<Incoming>, Refusal>,
    /// Why its entries have no effect of their own, though they can be read.
    pub(super) held_back: Option<Refusal>,
    first_age: usize,
}

/// One entry.
pub(super) struct Incoming {
    /// Such as `server.mapRoles[2]`.
    pub(super) position: String,
    pub(super) what: What,
}

/// What stands at one place.
pub(super) enum What {
    Mapping(Box<Mapping>, Box<Rule>),
    Account(AccountId),
    Broken(Box<Broken>),
}

impl IncomingList {
    /// The place among all entries of the entry at `index`.
    pub(super) fn age(&self, index: usize) -> Age {
        Age::Place(self.first_age + index)
    }

    /// Whether an entry of it is broken.
    pub(super) fn has_broken(&self) -> bool {
        let entries = self.entries.iter().flatten();
        entries
            .into_iter()
            .any(|entry| matches!(entry.what, What::Broken(_)))
    }
}

/// Compiles what `document` maps. With `held_back`, nothing of it has an effect of its own. Of a list that cannot be read,
/// places are those of `previous`.
pub(super) fn read(
    backend: Backend,
    mut document: FileMappings,
    held_back: Option<&Refusal>,
    previous: &Previous,
) -> Vec<IncomingList> {
    let prefix = match backend {
        Backend::MountedFile => "server.",
        Backend::ConfigMap | Backend::Crd | Backend::DynamicFile => "",
    };
    let lists = std::mem::take(&mut document.lists);
    let mut misspelled = std::mem::take(&mut document.held_back);
    let mut content = Content::new(document);
    let mut first_age = 0;
    let mut incoming = Vec::new();
    for (list, slots) in lists {
        let misspelled = misspelled.remove(&list);
        let (entries, why) = match (slots, misspelled) {
            (Err(why), Some(content)) => (compile_all(*content, list, first_age), Some(why)),
            (Err(why), None) => (Err(why), None),
            (Ok(slots), _) => (Ok(content.compile(slots, first_age)), held_back.cloned()),
        };
        let length = match &entries {
            Ok(entries) => entries.len(),
            Err(_) => previous.length(list),
        };
        incoming.push(IncomingList {
            list,
            position: format!("{prefix}{}", list.key()),
            entries,
            held_back: why,
            first_age,
        });
        first_age += length;
    }
    incoming
}

/// The entries of `list` in `document`, which holds that list alone.
fn compile_all(
    mut document: FileMappings,
    list: List,
    first_age: usize,
) -> Result<Vec<Incoming>, Refusal> {
    let mut lists = std::mem::take(&mut document.lists);
    let slots = lists.remove(&list).unwrap_or_else(|| Ok(Vec::new()))?;
    Ok(Content::new(document).compile(slots, first_age))
}

/// The entries of a document, each of which is taken once.
struct Content {
    mappings: Vec<Option<Given<Mapping>>>,
    accounts: Vec<Option<Given<AccountId>>>,
    narrowing_keys: BTreeMap<usize, String>,
}

impl Content {
    fn new(document: FileMappings) -> Self {
        Self {
            mappings: document.mappings.into_iter().map(Some).collect(),
            accounts: document.accounts.into_iter().map(Some).collect(),
            narrowing_keys: document.narrowing_keys,
        }
    }

    fn compile(&mut self, slots: Vec<Slot>, first_age: usize) -> Vec<Incoming> {
        let slots = slots.into_iter().enumerate();
        let entries = slots.filter_map(|(index, slot)| match slot {
            Slot::Broken(broken) => Some(Incoming {
                position: broken.position.clone(),
                what: What::Broken(broken),
            }),
            Slot::Mapping(place) => {
                let given = self.mappings.get_mut(place)?.take()?;
                let key = self.narrowing_keys.remove(&place);
                Some(compile(given, Age::Place(first_age + index), key))
            }
            Slot::Account(place) => {
                let given = self.accounts.get_mut(place)?.take()?;
                Some(Incoming {
                    position: given.setting,
                    what: What::Account(given.value),
                })
            }
        });
        entries.collect()
    }
}

fn compile(given: Given<Mapping>, age: Age, unknown_key: Option<String>) -> Incoming {
    let mapping = Mapping { age, ..given.value };
    let what = match Rule::compile(mapping.clone()) {
        Ok(rule) => What::Mapping(Box::new(mapping), Box::new(rule)),
        Err(error) => What::Broken(Box::new(Broken {
            position: given.setting.clone(),
            refusal: Refusal {
                place: given.place.to_string(),
                reason: error.to_string(),
            },
            partial: Some(PartialEntry {
                unknown_key,
                ..PartialEntry::of(&mapping)
            }),
        })),
    };
    Incoming {
        position: given.setting,
        what,
    }
}
