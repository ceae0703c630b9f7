//! What the ConfigMap and objects say, entry by entry.

use ack_ram_core::rules::{Mapping, WildcardMode};

use crate::config::document::{self, ConfigMapData};
use crate::config::entry::{InvalidEntry, ListItem, MappingList};
use crate::config::{Diagnostic, Located, ParsedMappings};
use crate::kubernetes::crd::mapping::ACCEPTED;
use crate::kubernetes::crd::object::MappingObject;

/// An entry of the ConfigMap, or an object.
pub(in crate::cli) struct StoredEntry {
    pub(in crate::cli) position: String,
    /// Or why it is none.
    pub(in crate::cli) content: Result<StoredMapping, String>,
    /// What a server reports of it: why it is refused, and what of it stays in effect.
    pub(in crate::cli) reported: Option<String>,
}

pub(in crate::cli) enum StoredMapping {
    Mapping(Box<Mapping>),
    /// All of an account.
    Account(String),
}

impl From<MappingObject> for StoredEntry {
    fn from(object: MappingObject) -> Self {
        let mapping = object.mapping().map_err(|error| error.to_string());
        Self {
            position: object.name().to_owned(),
            content: mapping.map(|mapping| StoredMapping::Mapping(Box::new(mapping))),
            reported: reported(&object),
        }
    }
}

/// What a server reports of this edit of `object`, if it does not take all of it.
fn reported(object: &MappingObject) -> Option<String> {
    let status = object.status();
    let is_of_this = status.observed_generation == object.generation();
    let mut conditions = status.conditions.iter();
    let accepted = conditions.find(|condition| condition.type_ == ACCEPTED && is_of_this)?;
    (accepted.status == "False").then(|| accepted.message.clone())
}

/// What is in the keys of the ConfigMap, as a server reads it.
pub(in crate::cli) fn read_config_map(
    data: &ConfigMapData,
    globs: WildcardMode,
) -> Vec<StoredEntry> {
    // Positions name the key; which ConfigMap it is, the person knows.
    let ParsedMappings {
        mappings,
        accounts,
        lists,
        inactive_lists: _,
        narrowing_keys: _,
        unreadable: _,
        globs: _,
    } = document::parse_config_map("", data, globs).mappings;
    let mut written = Vec::new();
    for (list, slots) in lists {
        match slots {
            Ok(slots) => written.extend(slots.into_iter().filter_map(|slot| match slot {
                ListItem::Mapping(index) => mappings.get(index).map(mapping),
                ListItem::Account(index) => accounts.get(index).map(|account| StoredEntry {
                    position: account.setting.clone(),
                    content: Ok(StoredMapping::Account(account.value.to_string())),
                    reported: None,
                }),
                ListItem::Invalid(broken) => Some(unusable(*broken)),
            })),
            Err(refusal) => written.push(unreadable(list, &refusal)),
        }
    }
    written
}

fn mapping(given: &Located<Mapping>) -> StoredEntry {
    StoredEntry {
        position: given.setting.clone(),
        content: Ok(StoredMapping::Mapping(Box::new(given.value.clone()))),
        reported: None,
    }
}

fn unusable(broken: InvalidEntry) -> StoredEntry {
    StoredEntry {
        position: broken.position,
        content: Err(broken.refusal.text()),
        reported: None,
    }
}

fn unreadable(list: MappingList, why: &Diagnostic) -> StoredEntry {
    StoredEntry {
        position: list.key().to_owned(),
        content: Err(why.to_string()),
        reported: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_map_gives_every_entry_in_order() {
        let texts = [
            ("mapAccounts", "['0123', x]\n"),
            (
                "mapRoles",
                "- rolearn: acs:ram::1:role/a\n  username: a\n- rolearn: acs:ram::1:role/b\n- x\n",
            ),
            ("mapUsers", "a: [\n"),
            ("other", "- [\n"),
        ];
        let data = ConfigMapData {
            texts: texts
                .map(|(key, text)| (key.to_owned(), text.to_owned()))
                .into(),
            ..ConfigMapData::default()
        };
        let read = read_config_map(&data, WildcardMode::Disabled);
        let told: Vec<(String, String)> = read
            .into_iter()
            .map(|written| {
                let told = match written.content {
                    Ok(StoredMapping::Mapping(mapping)) => mapping.spec.username,
                    Ok(StoredMapping::Account(account)) => account,
                    Err(_) => "broken".to_owned(),
                };
                (written.position, told)
            })
            .collect();
        let told: Vec<(&str, &str)> = told.iter().map(|(a, b)| (&**a, &**b)).collect();
        assert_eq!(
            told,
            [
                ("mapRoles[0]", "a"),
                ("mapRoles[1]", "broken"),
                ("mapRoles[2]", "broken"),
                ("mapUsers", "broken"),
                ("mapAccounts[0]", "0123"),
                ("mapAccounts[1]", "broken"),
            ]
        );
    }
}
