//! What changes for whom between two configurations.
//!
//! An identity that is named by its ARN is asked for in both: what counts is the user that results, not the rule that
//! gives it. What names nobody in particular (patterns, ids, conditions) is compared as it is written.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::arn::{AccountId, Arn};
use crate::decision::NoUser;
use crate::rules::subject::Subject;
use crate::rules::{Mapping, Rule, RuleSet};
use crate::sample;

/// One of the two configurations.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Its rules.
    pub rules: &'a RuleSet,
    /// The mappings that they were made from, in the order in which their backends answer.
    pub mappings: &'a [&'a Mapping],
    /// Its `mapAccounts`, of all backends.
    pub accounts: &'a BTreeSet<AccountId>,
    /// Its `scrubbedAccounts`.
    pub scrubbed: &'a BTreeSet<AccountId>,
}

/// All that changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Diff {
    /// Identities that either side names by their ARN, by ARN.
    pub identities: Vec<Change<Access>>,
    /// Patterns, ids and conditions, as written, with all that is written for each.
    pub rules: Vec<Change<Vec<Written>>>,
    /// Accounts all of whose identities may log in (`mapAccounts`).
    pub accounts: Vec<Change<AccountId>>,
    /// Accounts of which nothing is told (`scrubbedAccounts`).
    pub scrubbed_accounts: Vec<Change<AccountId>>,
}

impl Diff {
    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.identities.is_empty()
            && self.rules.is_empty()
            && self.accounts.is_empty()
            && self.scrubbed_accounts.is_empty()
    }
}

/// What changes for one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change<T> {
    /// For whom.
    pub subject: String,
    /// In which way.
    pub change: Way,
    /// What was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<T>,
    /// What will be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<T>,
}

/// In which way something changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Way {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is another.
    Changed,
}

/// What an identity is to Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", untagged)]
pub enum Access {
    /// A user.
    User {
        /// The username; `<session@name>` and the like stand for what only a login tells.
        username: String,
        /// The groups, sorted.
        groups: BTreeSet<String>,
    },
    /// Nobody, although a rule matches.
    Refused {
        /// Why.
        refused: String,
    },
}

/// A rule as it is written, but for whom it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// The condition.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// The username.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub username: String,
    /// The username in CEL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username_expression: Option<String>,
    /// The groups, sorted.
    pub groups: BTreeSet<String>,
    /// Further groups in CEL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups_expression: Option<String>,
    /// The names starting `system:` that this expression may give, sorted.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub groups_expression_may_add: BTreeSet<String>,
}

/// What changes from `old` to `new`.
#[must_use]
pub fn diff(old: Side<'_>, new: Side<'_>) -> Diff {
    let (old_subjects, new_subjects) = (Subjects::of(old), Subjects::of(new));
    let arns: BTreeMap<&String, &Arn> = old_subjects
        .exact
        .iter()
        .chain(&new_subjects.exact)
        .collect();
    let identities = arns.into_values().filter_map(|arn| {
        change(
            arn.to_string(),
            access(old.rules, arn),
            access(new.rules, arn),
        )
    });
    Diff {
        identities: identities.collect(),
        rules: changes(&old_subjects.written, &new_subjects.written),
        accounts: changes(&by_text(old.accounts), &by_text(new.accounts)),
        scrubbed_accounts: changes(&by_text(old.scrubbed), &by_text(new.scrubbed)),
    }
}

/// Whom a configuration is about.
#[derive(Default)]
struct Subjects {
    /// By what ARNs are compared by.
    exact: BTreeMap<String, Arn>,
    /// By their text.
    written: BTreeMap<String, Vec<Written>>,
}

impl Subjects {
    fn of(side: Side<'_>) -> Self {
        let mut subjects = Self::default();
        for mapping in side.mappings {
            // What cannot be compiled is about nobody.
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
            let rules = subjects.written.entry(text).or_default();
            rules.push(Written::of(mapping));
        }
        subjects
    }
}

impl Written {
    fn of(mapping: &Mapping) -> Self {
        Self {
            condition: mapping.condition.clone(),
            username: mapping.username.clone(),
            username_expression: mapping.username_expression.clone(),
            groups: mapping.groups.iter().cloned().collect(),
            groups_expression: mapping.groups_expression.clone(),
            groups_expression_may_add: mapping.groups_expression_may_add.iter().cloned().collect(),
        }
    }
}

fn access(rules: &RuleSet, arn: &Arn) -> Option<Access> {
    let (explanation, result) = rules.explain(&sample::identity(arn.clone())?);
    match result {
        Ok(user) => Some(Access::User {
            username: user.username,
            groups: user.groups.into_iter().collect(),
        }),
        Err(_) if explanation.matched.is_none() => None,
        Err(NoUser::Denied(denial)) => Some(Access::Refused {
            refused: explanation.why_denied(&denial),
        }),
        Err(NoUser::NotRead(_) | NoUser::Broken(_) | NoUser::Stale(_)) => None,
    }
}

fn by_text(accounts: &BTreeSet<AccountId>) -> BTreeMap<String, AccountId> {
    let by_text = |account: &AccountId| (account.to_string(), account.clone());
    accounts.iter().map(by_text).collect()
}

fn changes<T: Clone + PartialEq>(
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
) -> Vec<Change<T>> {
    let subjects: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    subjects
        .into_iter()
        .filter_map(|subject| {
            let of = |side: &BTreeMap<String, T>| side.get(subject).cloned();
            change(subject.clone(), of(old), of(new))
        })
        .collect()
}

fn change<T: PartialEq>(subject: String, before: Option<T>, after: Option<T>) -> Option<Change<T>> {
    let change = match (&before, &after) {
        (None, None) => return None,
        (None, Some(_)) => Way::Added,
        (Some(_), None) => Way::Removed,
        (Some(before), Some(after)) if before == after => return None,
        (Some(_), Some(_)) => Way::Changed,
    };
    Some(Change {
        subject,
        change,
        before,
        after,
    })
}
