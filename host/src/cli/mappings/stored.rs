//! The entries of the ConfigMap, and the objects.

use ack_ram_core::rules::{Mapping, WildcardMode};

use crate::config::document::{self, ConfigMapData};
use crate::config::entry::{InvalidEntry, ListItem, MappingList};
use crate::config::{Diagnostic, Located, ParsedMappings};
use crate::kubernetes::crd::mapping::ACCEPTED;
use crate::kubernetes::crd::object::MappingObject;

/// An entry of the ConfigMap, or an object.
pub(in crate::cli) struct StoredEntry {
    pub(in crate::cli) position: String,
    /// The mapping, or why the entry is not valid.
    pub(in crate::cli) content: Result<StoredMapping, String>,
    /// The message of a server that refused the entry: the reason, and what stays in effect.
    pub(in crate::cli) reported: Option<String>,
}

pub(in crate::cli) enum StoredMapping {
    Mapping(Box<Mapping>),
    /// Every identity of an account.
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

/// Returns the message of a server that refused the current generation of `object`.
fn reported(object: &MappingObject) -> Option<String> {
    let status = object.status();
    let is_current = status.observed_generation == object.generation();
    let mut conditions = status.conditions.iter();
    let accepted = conditions.find(|condition| condition.type_ == ACCEPTED && is_current)?;
    (accepted.status == "False").then(|| accepted.message.clone())
}

/// Parses the keys of the ConfigMap as a server does.
pub(in crate::cli) fn read_config_map(
    data: &ConfigMapData,
    globs: WildcardMode,
) -> Vec<StoredEntry> {
    // Positions name only the key, since the user knows the ConfigMap.
    let ParsedMappings {
        mappings,
        accounts,
        lists,
        inactive_lists: _,
        narrowing_keys: _,
        unreadable: _,
        globs: _,
    } = document::parse_config_map("", data, globs).mappings;
    let mut entries = Vec::new();
    for (list, slots) in lists {
        match slots {
            Ok(slots) => entries.extend(slots.into_iter().filter_map(|slot| match slot {
                ListItem::Mapping(index) => mappings.get(index).map(mapping),
                ListItem::Account(index) => accounts.get(index).map(|account| StoredEntry {
                    position: account.setting.clone(),
                    content: Ok(StoredMapping::Account(account.value.to_string())),
                    reported: None,
                }),
                ListItem::Invalid(invalid) => Some(unusable(*invalid)),
            })),
            Err(refusal) => entries.push(unreadable(list, &refusal)),
        }
    }
    entries
}

fn mapping(given: &Located<Mapping>) -> StoredEntry {
    StoredEntry {
        position: given.setting.clone(),
        content: Ok(StoredMapping::Mapping(Box::new(given.value.clone()))),
        reported: None,
    }
}

fn unusable(invalid: InvalidEntry) -> StoredEntry {
    StoredEntry {
        position: invalid.position,
        content: Err(invalid.refusal.text()),
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
        let stored = read_config_map(&data, WildcardMode::Disabled);
        let entries: Vec<(String, String)> = stored
            .into_iter()
            .map(|entry| {
                let content = match entry.content {
                    Ok(StoredMapping::Mapping(mapping)) => mapping.spec.username,
                    Ok(StoredMapping::Account(account)) => account,
                    Err(_) => "invalid".to_owned(),
                };
                (entry.position, content)
            })
            .collect();
        let entries: Vec<(&str, &str)> = entries.iter().map(|(a, b)| (&**a, &**b)).collect();
        assert_eq!(
            entries,
            [
                ("mapRoles[0]", "a"),
                ("mapRoles[1]", "invalid"),
                ("mapRoles[2]", "invalid"),
                ("mapUsers", "invalid"),
                ("mapAccounts[0]", "0123"),
                ("mapAccounts[1]", "invalid"),
            ]
        );
    }
}
