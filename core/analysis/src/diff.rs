//! The differences between two configurations: whose access changes, and how.
//!
//! An identity that either configuration names by its ARN is looked up in both configurations, and the resulting users
//! are compared, not the rules that produce them. Patterns, IDs and conditions name no particular ARN, so they are
//! compared as written.

use std::collections::{BTreeMap, BTreeSet};

use ack_ram_core::arn::{AccountId, Arn};
use ack_ram_core::rules::subject::Subject;
use ack_ram_core::rules::{Mapping, Rule, RuleSet, RulesError};
use serde::Serialize;

use crate::mapping_terms::MappingTerms;
use crate::placeholder;

/// One of the two configurations to compare.
#[derive(Clone, Copy)]
pub struct Snapshot<'a> {
    /// The compiled rules.
    pub rules: &'a RuleSet,
    /// The mappings that the rules were compiled from, in the order of their backends.
    pub mappings: &'a [&'a Mapping],
    /// The accounts in `mapAccounts` of all backends.
    pub accounts: &'a BTreeSet<AccountId>,
    /// The accounts in `scrubbedAccounts`.
    pub scrubbed: &'a BTreeSet<AccountId>,
}

/// All differences between two configurations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diff {
    /// Changes for identities that either configuration names by ARN, sorted by ARN.
    pub identities: Vec<Change<Access>>,
    /// Changes for patterns, IDs and conditions, each with the terms of all mappings that name it.
    pub rules: Vec<Change<Vec<MappingTerms>>>,
    /// Changes of `mapAccounts`: accounts all of whose identities may log in.
    pub accounts: Vec<Change<AccountId>>,
    /// Changes of `scrubbedAccounts`: accounts whose identities are hidden from logs and extra values.
    pub scrubbed_accounts: Vec<Change<AccountId>>,
}

impl Diff {
    /// Returns whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.identities.is_empty()
            && self.rules.is_empty()
            && self.accounts.is_empty()
            && self.scrubbed_accounts.is_empty()
    }
}

/// The change for one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change<T> {
    /// The subject, as text.
    pub subject: String,
    /// The kind of change.
    pub change: ChangeKind,
    /// The old value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<T>,
    /// The new value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<T>,
}

/// The kinds of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeKind {
    /// The new configuration adds the subject.
    Added,
    /// The new configuration removes the subject.
    Removed,
    /// Both configurations have the subject, with different values.
    Changed,
}

/// The access that a configuration gives an identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", untagged)]
pub enum Access {
    /// A user.
    User {
        /// The username. Placeholders such as `<session@name>` replace values that are known only at login.
        username: String,
        /// The groups, sorted.
        groups: BTreeSet<String>,
    },
    /// No user: a rule matches, but the login is refused.
    Refused {
        /// The reason.
        refused: String,
    },
}

/// Compares two configurations and returns the differences.
#[must_use]
pub fn diff(old: Snapshot<'_>, new: Snapshot<'_>) -> Diff {
    let (old_subjects, new_subjects) = (
        ComparedSubjects::collect(old),
        ComparedSubjects::collect(new),
    );
    let arns: BTreeMap<&String, &Arn> = old_subjects
        .exact
        .iter()
        .chain(&new_subjects.exact)
        .collect();
    let identities = arns.into_values().filter_map(|arn| {
        compare_values(
            arn.to_string(),
            access_for(old.rules, arn),
            access_for(new.rules, arn),
        )
    });
    Diff {
        identities: identities.collect(),
        rules: compare_maps(&old_subjects.terms, &new_subjects.terms),
        accounts: compare_maps(&keyed_by_text(old.accounts), &keyed_by_text(new.accounts)),
        scrubbed_accounts: compare_maps(&keyed_by_text(old.scrubbed), &keyed_by_text(new.scrubbed)),
    }
}

/// The subjects of a configuration.
#[derive(Default)]
struct ComparedSubjects {
    /// Subjects that are ARNs, by their comparison key.
    exact: BTreeMap<String, Arn>,
    /// The terms of the mappings of all other subjects, by the subject's text.
    terms: BTreeMap<String, Vec<MappingTerms>>,
}

impl ComparedSubjects {
    fn collect(snapshot: Snapshot<'_>) -> Self {
        let mut subjects = Self::default();
        for mapping in snapshot.mappings {
            // A mapping that does not compile matches no identity.
            let Ok(rule) = Rule::compile((*mapping).clone()) else {
                continue;
            };
            let text = match rule.subject() {
                Subject::Arn(arn) => {
                    let key = arn.key().as_str().to_owned();
                    subjects.exact.entry(key).or_insert_with(|| arn.clone());
                    if !rule.has_condition() {
                        continue;
                    }
                    arn.to_string()
                }
                Subject::Pattern(pattern) => pattern.to_string().to_ascii_lowercase(),
                other @ (Subject::Id(_) | Subject::Anyone) => other.to_string(),
            };
            let rules = subjects.terms.entry(text).or_default();
            rules.push(MappingTerms::sorted(mapping.spec.clone()));
        }
        subjects
    }
}

fn access_for(rules: &RuleSet, arn: &Arn) -> Option<Access> {
    let (explanation, result) = rules.explain(&placeholder::identity_for_arn(arn.clone())?);
    match result {
        Ok(user) => Some(Access::User {
            username: user.username,
            groups: user.groups.into_iter().collect(),
        }),
        Err(_) if explanation.matched.is_none() => None,
        Err(RulesError::Refused(refusal)) => Some(Access::Refused {
            refused: explanation.refusal_message(&refusal),
        }),
        Err(RulesError::Unavailable(_)) => None,
    }
}

fn keyed_by_text(accounts: &BTreeSet<AccountId>) -> BTreeMap<String, AccountId> {
    let keyed_by_text = |account: &AccountId| (account.to_string(), account.clone());
    accounts.iter().map(keyed_by_text).collect()
}

fn compare_maps<T: Clone + PartialEq>(
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
) -> Vec<Change<T>> {
    let subjects: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    subjects
        .into_iter()
        .filter_map(|subject| {
            let value_in = |snapshot: &BTreeMap<String, T>| snapshot.get(subject).cloned();
            compare_values(subject.clone(), value_in(old), value_in(new))
        })
        .collect()
}

fn compare_values<T: PartialEq>(
    subject: String,
    before: Option<T>,
    after: Option<T>,
) -> Option<Change<T>> {
    let change = match (&before, &after) {
        (None, None) => return None,
        (None, Some(_)) => ChangeKind::Added,
        (Some(_), None) => ChangeKind::Removed,
        (Some(before), Some(after)) if before == after => return None,
        (Some(_), Some(_)) => ChangeKind::Changed,
    };
    Some(Change {
        subject,
        change,
        before,
        after,
    })
}
