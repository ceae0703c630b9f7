//! Near misses: rules whose subject differs in one part from an identity that is not mapped.

use std::fmt;

use serde::Serialize;

use crate::arn::ArnKey;
use crate::rules::cow_map::{CowMap, InlineKey};
use crate::rules::rule::Rule;
use crate::rules::rule_list::RuleList;
use crate::rules::source::Source;
use crate::rules::subject::Subject;

/// The maximum number of reported near misses. A longer list would hide the intended rule.
const MAX_NEAR_MISSES: usize = 3;
/// The maximum number of rules that are compared for one kind of difference. It bounds the work, because a denied
/// caller can choose a name that occurs in very many rules.
const MAX_CANDIDATES: usize = 16;

/// A rule that nearly matches an identity, and the difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NearMiss {
    /// The rule.
    pub rule: Source,
    /// The subject of the rule.
    pub subject: String,
    /// The difference.
    pub difference: Difference,
}

/// The part in which a rule differs from an identity, apart from case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Difference {
    /// The account: the rule is for the same user or role in another account.
    Account,
    /// The kind: the rule is for a role with the name of the user, or for a user with the name of the role.
    Kind,
    /// The path: the rule is for the same name with another path.
    Path,
    /// The name: the rule is for another name with the same path.
    Name,
    /// The number of segments: a `*` of the rule's pattern would have to match a `/`.
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

/// The near misses found so far, at most [`MAX_NEAR_MISSES`].
#[derive(Default)]
pub(super) struct NearMisses(Vec<NearMiss>);

impl NearMisses {
    /// Returns the near misses.
    pub(super) fn into_vec(self) -> Vec<NearMiss> {
        self.0
    }

    /// Adds the near misses among `rules`, up to the limit.
    fn add<'a>(
        &mut self,
        rules: impl Iterator<Item = &'a Rule>,
        difference: Difference,
        is_near_miss: impl Fn(&Rule) -> bool,
    ) {
        for rule in rules.take(MAX_CANDIDATES) {
            if self.0.len() < MAX_NEAR_MISSES && is_near_miss(rule) {
                self.0.push(NearMiss {
                    rule: rule.source().clone(),
                    subject: rule.subject().to_string(),
                    difference,
                });
            }
        }
    }
}

/// The index of rules for an exact ARN by the ARN without one of its parts, so that finding near misses needs no
/// search.
#[derive(Clone, Debug, Default)]
pub(super) struct NearMissIndex(CowMap<RuleList>);

/// The index of rules for an exact ARN by the whole ARN.
pub(super) type ArnIndex = CowMap<RuleList, InlineKey>;

impl NearMissIndex {
    /// Applies `change` to each list of rules that are near misses of `key`.
    pub(super) fn alter(
        &mut self,
        key: &ArnKey,
        change: impl Fn(Option<&RuleList>) -> Option<RuleList>,
    ) {
        let parts = ArnParts::from_key(key);
        self.0.alter(parts.resource, &change);
        // ARNs without a path are found by their whole ARN.
        if parts.has_path() {
            self.0.alter(&parts.any_path_key(), &change);
            self.0.alter(&parts.same_path_key(), &change);
        }
    }

    /// Adds the rules for ARNs that differ from `key` in one part.
    pub(super) fn add_differing(&self, by_arn: &ArnIndex, key: &ArnKey, misses: &mut NearMisses) {
        let parts = ArnParts::from_key(key);
        let other_account = self.0.get(parts.resource);
        let other_kind = parts.other_kind_arn().and_then(|arn| by_arn.get(&arn));
        let arn_without_path = parts.arn_without_path().and_then(|arn| by_arn.get(&arn));
        let other_path = self.0.get(&parts.any_path_key());
        let other_name = self.0.get(&parts.same_path_key());
        for (rules, difference) in [
            (other_account, Difference::Account),
            (other_kind, Difference::Kind),
            (arn_without_path, Difference::Path),
            (other_path, Difference::Path),
            (other_name, Difference::Name),
        ] {
            let rules = rules.unwrap_or(&RuleList::None).iter();
            misses.add(rules, difference, |rule| !has_arn(rule, key));
        }
    }
}

/// Adds those candidates whose pattern would match `key` if `*` also matched `/`.
pub(super) fn add_across_segments<'a>(
    candidates: impl Iterator<Item = &'a RuleList>,
    key: &ArnKey,
    misses: &mut NearMisses,
) {
    let rules = candidates.flat_map(RuleList::iter);
    misses.add(rules, Difference::Segments, |rule| {
        stops_at_slash(rule, key)
    });
}

fn stops_at_slash(rule: &Rule, key: &ArnKey) -> bool {
    matches!(rule.subject(), Subject::Pattern(pattern)
        if !pattern.matches(key) && pattern.matches_across_segments(key))
}

/// Returns whether the rule names the ARN `key` itself. Such a rule is not a near miss: only its condition is false.
fn has_arn(rule: &Rule, key: &ArnKey) -> bool {
    matches!(rule.subject(), Subject::Arn(arn) if arn.key() == *key)
}

/// The parts of a canonical ARN, `acs:ram::<account>:<kind>/<path><name>`.
struct ArnParts<'a> {
    account: &'a str,
    resource: &'a str,
    kind: &'a str,
    path: &'a str,
    name: &'a str,
}

impl<'a> ArnParts<'a> {
    fn from_key(key: &'a ArnKey) -> Self {
        let (head, resource) = key.as_str().rsplit_once(':').unwrap_or_default();
        let (kind, full_name) = resource.split_once('/').unwrap_or((resource, ""));
        let split = full_name.rfind('/').map_or(0, |slash| slash + 1);
        let (path, name) = full_name.split_at_checked(split).unwrap_or_default();
        Self {
            account: head.rsplit(':').next().unwrap_or_default(),
            resource,
            kind,
            path,
            name,
        }
    }

    fn has_path(&self) -> bool {
        !self.path.is_empty()
    }

    /// Returns the ARN with `user` and `role` swapped; `None` for other kinds.
    fn other_kind_arn(&self) -> Option<String> {
        let kind = match self.kind {
            "user" => "role",
            "role" => "user",
            _ => return None,
        };
        let Self { path, name, .. } = self;
        Some(format!("acs:ram::{}:{kind}/{path}{name}", self.account))
    }

    /// Returns the ARN without the path; `None` if there is no path.
    fn arn_without_path(&self) -> Option<String> {
        let arn = || format!("acs:ram::{}:{}/{}", self.account, self.kind, self.name);
        self.has_path().then(arn)
    }

    /// Returns the key of all ARNs that differ only in their path. It differs from all other keys, because names
    /// contain no colon.
    fn any_path_key(&self) -> String {
        format!("{}:{}:{}", self.account, self.kind, self.name)
    }

    /// Returns the key of all ARNs that differ only in their name.
    fn same_path_key(&self) -> String {
        format!("{}:{}/{}", self.account, self.kind, self.path)
    }
}
