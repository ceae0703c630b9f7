//! Near misses: why nobody speaks for an identity that somebody thinks is mapped.

use std::fmt;

use serde::Serialize;

use crate::arn::ArnKey;
use crate::identity::Identity;
use crate::rules::index::BackendRules;
use crate::rules::mapping::{Rule, Source};
use crate::rules::ranked::Ranked;
use crate::rules::sharded::{InlineKey, ShardedMap};
use crate::rules::subject::Subject;

/// More would hide the one that is meant.
const MAX: usize = 3;
/// No more rules are looked at for one kind of difference: whoever is denied chooses their own name, and it may be one
/// that very many rules have.
const MAX_LOOKED_AT: usize = 16;

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

/// What keeps a rule from speaking for an identity. That names differ in case is no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Difference {
    /// The same user or role of another account.
    Account,
    /// A role of a user's name, or a user of a role's.
    Kind,
    /// The same name under another path.
    Path,
    /// Another name under the same path.
    Name,
    /// A pattern whose `*` would have to match a `/`.
    Segments,
}

impl fmt::Display for NearMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let difference = match self.difference {
            Difference::Account => "another account",
            Difference::Kind => "a user is not a role",
            Difference::Path => "another path",
            Difference::Name => "another name under this path",
            Difference::Segments => "`*` stops at a `/`, `**` does not",
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
    let mut misses = Misses(Vec::new());
    for backend in backends {
        backend.near_misses(identity.account_id(), key, &mut misses);
    }
    misses.0
}

/// The first few that were found.
pub(super) struct Misses(Vec<NearMiss>);

impl Misses {
    /// Adds those of `rules` that miss, until there are enough.
    fn add<'a>(
        &mut self,
        rules: impl Iterator<Item = &'a Rule>,
        difference: Difference,
        misses: impl Fn(&Rule) -> bool,
    ) {
        for rule in rules.take(MAX_LOOKED_AT) {
            if self.0.len() < MAX && misses(rule) {
                self.0.push(NearMiss {
                    rule: rule.source().clone(),
                    subject: rule.subject().to_string(),
                    difference,
                });
            }
        }
    }
}

/// Rules for an exact ARN by what is left of it when one part is another, so that none has to be searched for.
#[derive(Clone, Debug, Default)]
pub(super) struct NearIndex(ShardedMap<Ranked>);

/// Rules by the whole of their ARN.
pub(super) type ByArn = ShardedMap<Ranked, InlineKey>;

impl NearIndex {
    /// Puts in place of the rules that are near `key` what `change` makes of them.
    pub(super) fn alter(
        &mut self,
        key: &ArnKey,
        change: impl Fn(Option<&Ranked>) -> Option<Ranked>,
    ) {
        let parts = Parts::of(key);
        self.0.alter(parts.resource, &change);
        // Others are found by their whole ARN.
        if parts.has_path() {
            self.0.alter(&parts.under_any_path(), &change);
            self.0.alter(&parts.under_the_path(), &change);
        }
    }

    /// Adds the rules for an ARN that differs from `key` in one part.
    pub(super) fn differing(&self, by_arn: &ByArn, key: &ArnKey, misses: &mut Misses) {
        let parts = Parts::of(key);
        let elsewhere = self.0.get(parts.resource);
        let other_kind = parts.of_other_kind().and_then(|arn| by_arn.get(&arn));
        let without_path = parts.without_path().and_then(|arn| by_arn.get(&arn));
        let other_path = self.0.get(&parts.under_any_path());
        let other_name = self.0.get(&parts.under_the_path());
        for (rules, difference) in [
            (elsewhere, Difference::Account),
            (other_kind, Difference::Kind),
            (without_path, Difference::Path),
            (other_path, Difference::Path),
            (other_name, Difference::Name),
        ] {
            let rules = rules.unwrap_or(&Ranked::None).iter();
            misses.add(rules, difference, |rule| !is_about(rule, key));
        }
    }
}

/// Adds the patterns that would match if `*` did not stop at a `/`, of those that start as the ARN does.
pub(super) fn across_segments<'a>(
    starting_like: impl Iterator<Item = &'a Ranked>,
    key: &ArnKey,
    misses: &mut Misses,
) {
    let rules = starting_like.flat_map(Ranked::iter);
    misses.add(rules, Difference::Segments, |rule| {
        stops_at_slash(rule, key)
    });
}

fn stops_at_slash(rule: &Rule, key: &ArnKey) -> bool {
    matches!(rule.subject(), Subject::Pattern(pattern)
        if !pattern.matches(key) && pattern.matches_across_segments(key))
}

/// A rule whose condition does not hold may name the very ARN.
fn is_about(rule: &Rule, key: &ArnKey) -> bool {
    matches!(rule.subject(), Subject::Arn(arn) if arn.key() == *key)
}

/// The parts of a canonical ARN, `acs:ram::<account>:<kind>/<path><last>`.
struct Parts<'a> {
    account: &'a str,
    resource: &'a str,
    kind: &'a str,
    path: &'a str,
    last: &'a str,
}

impl<'a> Parts<'a> {
    fn of(key: &'a ArnKey) -> Self {
        let (head, resource) = key.as_str().rsplit_once(':').unwrap_or_default();
        let (kind, name) = resource.split_once('/').unwrap_or((resource, ""));
        let split = name.rfind('/').map_or(0, |slash| slash + 1);
        let (path, last) = name.split_at_checked(split).unwrap_or_default();
        Self {
            account: head.rsplit(':').next().unwrap_or_default(),
            resource,
            kind,
            path,
            last,
        }
    }

    fn has_path(&self) -> bool {
        !self.path.is_empty()
    }

    /// The ARN of a user of a role's name, or of a role of a user's.
    fn of_other_kind(&self) -> Option<String> {
        let kind = match self.kind {
            "user" => "role",
            "role" => "user",
            _ => return None,
        };
        let Self { path, last, .. } = self;
        Some(format!("acs:ram::{}:{kind}/{path}{last}", self.account))
    }

    /// The ARN without the path, where there is one.
    fn without_path(&self) -> Option<String> {
        let arn = || format!("acs:ram::{}:{}/{}", self.account, self.kind, self.last);
        self.has_path().then(arn)
    }

    /// The same for all names that differ in their paths. No key is one of another sort: names hold no colon.
    fn under_any_path(&self) -> String {
        format!("{}:{}:{}", self.account, self.kind, self.last)
    }

    /// The same for all names under one path.
    fn under_the_path(&self) -> String {
        format!("{}:{}/{}", self.account, self.kind, self.path)
    }
}
