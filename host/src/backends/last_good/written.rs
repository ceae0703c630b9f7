//! A document as it is written now: each entry a rule, an account, or broken.

use ack_ram_core::arn::AccountId;
use ack_ram_core::rules::{Age, Backend, Mapping, Rule};

use super::earlier::Earlier;
use crate::config::entry::{Broken, List, Outline, Refusal, Slot};
use crate::config::{FileMappings, Given};

/// One list.
pub(super) struct WrittenList {
    pub(super) list: List,
    /// How it is called, such as `server.mapRoles`.
    pub(super) position: String,
    /// Its entries; or why it cannot be read at all.
    pub(super) entries: Result<Vec<Written>, Refusal>,
    first_age: usize,
}

/// One entry.
pub(super) struct Written {
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

impl WrittenList {
    /// The place among all entries of the entry at `index`.
    pub(super) fn age(&self, index: usize) -> Age {
        Age::Place(self.first_age + index)
    }
}

/// Compiles what `document` maps. Of a list that cannot be read, places are those of `earlier`.
pub(super) fn read(
    backend: Backend,
    document: FileMappings,
    earlier: &Earlier,
) -> Vec<WrittenList> {
    let prefix = match backend {
        Backend::MountedFile => "server.",
        Backend::ConfigMap | Backend::Crd | Backend::DynamicFile => "",
    };
    let mut mappings: Vec<_> = document.mappings.into_iter().map(Some).collect();
    let mut accounts: Vec<_> = document.accounts.into_iter().map(Some).collect();
    let mut first_age = 0;
    let lists = document.lists.into_iter().map(|(list, slots)| {
        let mut read = WrittenList {
            list,
            position: format!("{prefix}{}", list.key()),
            entries: Ok(Vec::new()),
            first_age,
        };
        read.entries = slots.map(|slots| {
            let slots = slots.into_iter().enumerate();
            let entries = slots.filter_map(|(index, slot)| match slot {
                Slot::Broken(broken) => Some(Written {
                    position: broken.position.clone(),
                    what: What::Broken(broken),
                }),
                Slot::Mapping(place) => {
                    Some(compile(mappings.get_mut(place)?.take()?, read.age(index)))
                }
                Slot::Account(place) => {
                    let given = accounts.get_mut(place)?.take()?;
                    Some(Written {
                        position: given.setting,
                        what: What::Account(given.value),
                    })
                }
            });
            entries.collect()
        });
        first_age += match &read.entries {
            Ok(entries) => entries.len(),
            Err(_) => earlier.length(list),
        };
        read
    });
    lists.collect()
}

fn compile(given: Given<Mapping>, age: Age) -> Written {
    let mapping = Mapping { age, ..given.value };
    let what = match Rule::compile(mapping.clone()) {
        Ok(rule) => What::Mapping(Box::new(mapping), Box::new(rule)),
        Err(error) => What::Broken(Box::new(Broken {
            position: given.setting.clone(),
            refusal: Refusal {
                place: given.place.to_string(),
                reason: error.to_string(),
            },
            outline: Outline::of(&mapping),
        })),
    };
    Written {
        position: given.setting,
        what,
    }
}
