//! Near misses: why nobody speaks for an identity that somebody thinks is mapped.

use std::fmt;

use serde::Serialize;

use crate::arn::{Arn, ArnKey};
use crate::identity::Identity;
use crate::rules::index::BackendRules;
use crate::rules::mapping::Source;
use crate::rules::subject::Subject;

/// More would hide the one that is meant.
const MAX: usize = 3;

/// A rule that nearly speaks for an identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NearMiss {
    /// The rule.
    pub rule: Source,
    /// Whom it speaks for.
    pub subject: String,
    /// What is different.
    pub difference: Difference,
}

/// What keeps a rule from speaking for an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Difference {
    /// The same user or role of another account.
    Account,
    /// A role of a user's name, or a user of a role's.
    Kind,
    /// The same name under another path.
    Path,
}

impl fmt::Display for NearMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let difference = match self.difference {
            Difference::Account => "another account",
            Difference::Kind => "a user is not a role",
            Difference::Path => "another path",
        };
        write!(f, "{} maps `{}`: {difference}", self.rule, self.subject)
    }
}

/// The rules that differ from `identity` in one part, the earlier backend's first.
pub(super) fn misses(
    backends: &[BackendRules],
    identity: &Identity,
    key: &ArnKey,
) -> Vec<NearMiss> {
    let canonical = identity.arn.canonical();
    backends
        .iter()
        .flat_map(|rules| rules.namesakes(key))
        .filter_map(|rule| match rule.subject() {
            Subject::Arn(arn) => difference(arn, &canonical).map(|difference| NearMiss {
                rule: rule.source().clone(),
                subject: arn.to_string(),
                difference,
            }),
            Subject::Id(_) | Subject::Pattern(_) | Subject::Anyone => None,
        })
        .take(MAX)
        .collect()
}

fn difference(one: &Arn, other: &Arn) -> Option<Difference> {
    let resource = |arn: &Arn| {
        let key = arn.key();
        let resource = key.as_str().rsplit(':').next().unwrap_or_default();
        let (kind, name) = resource.split_once('/').unwrap_or((resource, ""));
        (kind.to_owned(), name.to_owned())
    };
    let ((kind, name), (other_kind, other_name)) = (resource(one), resource(other));
    let differences = [
        (one.account() != other.account(), Difference::Account),
        (kind != other_kind, Difference::Kind),
        (name != other_name, Difference::Path),
    ];
    let mut found = differences.into_iter().filter(|(differs, _)| *differs);
    match (found.next(), found.next()) {
        (Some((_, difference)), None) => Some(difference),
        _ => None,
    }
}
