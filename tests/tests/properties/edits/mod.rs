//! Random sequences of edits of a document: nobody has a group that the newest readable text does not give, except by an
//! entry of the same subject that is kept, for a time that has an end.

mod documents;
mod sources;

use std::collections::{BTreeMap, BTreeSet};

use ack_ram_config::last_good::{LastGood, RetentionPolicy, Update};
use ack_ram_core::rules::Backend;
use ack_ram_core::time::UnixTime;
use proptest::prelude::*;

use documents::{Document, DocumentForm, GROUPS, PEOPLE, Slip, TTL, documents};
use sources::{Take, as_read, config_map, configuration, dynamic_file};

/// The groups of each person.
type Given = BTreeMap<usize, BTreeSet<usize>>;

/// What the rules in effect give, those that never answer because another comes first, too.
fn in_effect(update: &Update) -> Given {
    let people = PEOPLE.iter().enumerate().map(|(person, name)| {
        let arn = format!("acs:ram::1:user/{name}");
        let rules = update.rules.iter();
        let rules = rules.filter(|rule| rule.subject().to_string() == arn);
        let groups = rules.flat_map(|rule| rule.raw_names().1);
        let groups = groups.map(|name| GROUPS.iter().position(|group| **group == **name).unwrap());
        (person, groups.collect())
    });
    people.collect()
}

/// What was seen of one group of one person.
#[derive(Clone, Copy, Default)]
struct Seen {
    /// Whether it was in effect after the step before.
    was_given: bool,
    /// When the last readable good text that gave it was no longer the newest.
    broken_since: Option<i64>,
}

fn check(backend: Backend, documents: &[Document], take: Take) -> Result<(), TestCaseError> {
    let mut last_good = LastGood::new(backend);
    let mut now = 0;
    let mut seen: BTreeMap<(usize, usize), Seen> = BTreeMap::new();
    for (step, document) in documents.iter().enumerate() {
        now += document.later;
        let terms = RetentionPolicy {
            now: UnixTime::from_seconds(now),
            ttl: TTL,
            protected: None,
        };
        let update = take(&mut last_good, document, &terms);
        let document = as_read(backend, document);
        let given = in_effect(&update);
        for (person, groups) in &given {
            for (group, group_name) in GROUPS.into_iter().enumerate() {
                let seen = seen.entry((*person, group)).or_default();
                let entries = |list: usize| document.shown(list).unwrap_or_default().iter();
                let is_unreadable = matches!(
                    document.form,
                    DocumentForm::SyntaxError | DocumentForm::Empty
                );
                let is_gone = document.form == DocumentForm::Gone;
                let is_well_given = (0..2).any(|list| {
                    document.is_effective(list)
                        && entries(list).any(|entry| {
                            entry.slip == Slip::None
                                && entry.person == *person
                                && entry.groups.contains(&group)
                        })
                });
                let is_named = (0..2).any(|list| {
                    document.shown(list).is_none()
                        || entries(list)
                            .any(|entry| entry.person == *person && entry.names_group(group))
                });
                if is_well_given {
                    seen.broken_since = None;
                } else {
                    seen.broken_since.get_or_insert(now);
                }
                let is_given = groups.contains(&group);
                let who = (PEOPLE[*person], group_name);
                if is_given && !is_well_given {
                    prop_assert!(!is_gone, "step {step}: {who:?} outlives the document");
                    prop_assert!(
                        is_unreadable || is_named,
                        "step {step}: the newest text does not give {who:?}"
                    );
                    prop_assert!(seen.was_given, "step {step}: {who:?} is new or came back");
                    let since = seen.broken_since.unwrap_or(now);
                    prop_assert!(now - since < TTL, "step {step}: {who:?} stays too long");
                }
                seen.was_given = is_given;
            }
        }
        for effect in update.in_effect.values() {
            if let Some(kept) = &effect.retention {
                prop_assert!(now < kept.until.seconds(), "step {step}");
                prop_assert_eq!(kept.until.seconds_since(kept.since), TTL);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(super::cases(super::CASES))]

    #[test]
    fn kept_entry_gives_what_newest_text_gives(documents in documents()) {
        check(Backend::DynamicFile, &documents, dynamic_file)?;
        check(Backend::ConfigMap, &documents, config_map)?;
        check(Backend::MountedFile, &documents, configuration)?;
    }
}
