//! Random sequences of edits of a document: no identity has a group that the newest readable text does not give, except
//! through a last good entry of the same subject, for a limited time.

mod documents;
mod sources;

use std::collections::{BTreeMap, BTreeSet};

use ack_ram_config::last_good::{LastGood, RetentionPolicy, Update};
use ack_ram_core::rules::Backend;
use ack_ram_core::time::UnixTime;
use proptest::prelude::*;

use documents::{Document, DocumentForm, GROUPS, PEOPLE, Slip, TTL, documents};
use sources::{ApplyDocument, as_read, config_map, configuration, dynamic_file};

/// The groups in effect of each person.
type Given = BTreeMap<usize, BTreeSet<usize>>;

/// Returns the groups of the rules in effect, including shadowed rules.
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

/// The observations of one group of one person.
#[derive(Clone, Copy, Default)]
struct ObservedGroup {
    /// Whether the group was in effect after the previous step.
    was_given: bool,
    /// When the last valid text that gave the group was replaced.
    broken_since: Option<i64>,
}

fn check(
    backend: Backend,
    documents: &[Document],
    apply: ApplyDocument,
) -> Result<(), TestCaseError> {
    let mut last_good = LastGood::new(backend);
    let mut now = 0;
    let mut observed: BTreeMap<(usize, usize), ObservedGroup> = BTreeMap::new();
    for (step, document) in documents.iter().enumerate() {
        now += document.later;
        let terms = RetentionPolicy {
            now: UnixTime::from_seconds(now),
            ttl: TTL,
            protected: None,
        };
        let update = apply(&mut last_good, document, &terms);
        let document = as_read(backend, document);
        let given = in_effect(&update);
        for (person, groups) in &given {
            for (group, group_name) in GROUPS.into_iter().enumerate() {
                let observed = observed.entry((*person, group)).or_default();
                let entries =
                    |list: usize| document.readable_entries(list).unwrap_or_default().iter();
                let is_unreadable = matches!(
                    document.form,
                    DocumentForm::SyntaxError | DocumentForm::Empty
                );
                let is_removed = document.form == DocumentForm::Gone;
                let is_well_given = (0..2).any(|list| {
                    document.is_effective(list)
                        && entries(list).any(|entry| {
                            entry.slip == Slip::None
                                && entry.person == *person
                                && entry.groups.contains(&group)
                        })
                });
                let is_named = (0..2).any(|list| {
                    document.readable_entries(list).is_none()
                        || entries(list)
                            .any(|entry| entry.person == *person && entry.names_group(group))
                });
                if is_well_given {
                    observed.broken_since = None;
                } else {
                    observed.broken_since.get_or_insert(now);
                }
                let is_given = groups.contains(&group);
                let who = (PEOPLE[*person], group_name);
                if is_given && !is_well_given {
                    prop_assert!(
                        !is_removed,
                        "step {step}: {who:?} is in effect without a document"
                    );
                    prop_assert!(
                        is_unreadable || is_named,
                        "step {step}: the newest text does not give {who:?}"
                    );
                    prop_assert!(
                        observed.was_given,
                        "step {step}: {who:?} is new, or in effect again"
                    );
                    let since = observed.broken_since.unwrap_or(now);
                    prop_assert!(
                        now - since < TTL,
                        "step {step}: {who:?} stays in effect for too long"
                    );
                }
                observed.was_given = is_given;
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
    fn last_good_entry_gives_only_groups_of_newest_text(documents in documents()) {
        check(Backend::DynamicFile, &documents, dynamic_file)?;
        check(Backend::ConfigMap, &documents, config_map)?;
        check(Backend::MountedFile, &documents, configuration)?;
    }
}
