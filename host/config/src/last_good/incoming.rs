//! A document as it is written now: each entry a rule, an account, or broken.

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
    let mut mappings: Vec<_> = document.mappings.into_iter().map(Some).collect();
    let mut accounts: Vec<_> = document.accounts.into_iter().map(Some).collect();
    let mut first_age = 0;
    let mut lists = Vec::new();
    for (list, slots) in document.lists {
        let misspelled = document.held_back.remove(&list);
        let (entries, why) = match (slots, misspelled) {
            (Err(why), Some(content)) => (compile_all(*content, list, first_age), Some(why)),
            (Err(why), None) => (Err(why), None),
            (Ok(slots), _) => {
                let entries = compile(slots, &mut mappings, &mut accounts, first_age);
                (Ok(entries), held_back.cloned())
            }
        };
        let length = match &entries {
            Ok(entries) => entries.len(),
            Err(_) => previous.length(list),
        };
        lists.push(IncomingList {
            list,
            position: format!("{prefix}{}", list.key()),
            entries,
            held_back: why,
            first_age,
        });
        first_age += length;
    }
    lists
}

/// The entries of `list` in `content`, which holds that list alone.
fn compile_all(
    content: FileMappings,
    list: List,
    first_age: usize,
) -> Result<Vec<Incoming>, Refusal> {
    let mut mappings: Vec<_> = content.mappings.into_iter().map(Some).collect();
    let mut accounts: Vec<_> = content.accounts.into_iter().map(Some).collect();
    let mut lists = content.lists;
    let slots = lists.remove(&list).unwrap_or_else(|| Ok(Vec::new()))?;
    Ok(compile(slots, &mut mappings, &mut accounts, first_age))
}

fn compile(
    slots: Vec<Slot>,
    mappings: &mut [Option<Given<Mapping>>],
    accounts: &mut [Option<Given<AccountId>>],
    first_age: usize,
) -> Vec<Incoming> {
    let slots = slots.into_iter().enumerate();
    let entries = slots.filter_map(|(index, slot)| match slot {
        Slot::Broken(broken) => Some(Incoming {
            position: broken.position.clone(),
            what: What::Broken(broken),
        }),
        Slot::Mapping(place) => {
            let age = Age::Place(first_age + index);
            Some(compile_mapping(mappings.get_mut(place)?.take()?, age))
        }
        Slot::Account(place) => {
            let given = accounts.get_mut(place)?.take()?;
            Some(Incoming {
                position: given.setting,
                what: What::Account(given.value),
            })
        }
    });
    entries.collect()
}

fn compile_mapping(given: Given<Mapping>, age: Age) -> Incoming {
    let mapping = Mapping { age, ..given.value };
    let what = match Rule::compile(mapping.clone()) {
        Ok(rule) => What::Mapping(Box::new(mapping), Box::new(rule)),
        Err(error) => What::Broken(Box::new(Broken {
            position: given.setting.clone(),
            refusal: Refusal {
                place: given.place.to_string(),
                reason: error.to_string(),
            },
            partial: Some(PartialEntry::of(&mapping)),
        })),
    };
    Incoming {
        position: given.setting,
        what,
    }
}
