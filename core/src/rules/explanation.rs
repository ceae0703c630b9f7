//! Explanations of the results of the rules.

use std::fmt;

use serde::Serialize;

use crate::arn::AccountId;
use crate::fingerprint::Fingerprint;
use crate::identity::Identity;
use crate::rules::naming::NameError;
use crate::rules::near_miss::NearMiss;
use crate::rules::refusal::RulesRefusal;
use crate::rules::source::{Backend, Source};

/// The explanation of a decision. It contains no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The fingerprint of the token; `None` for a token of another type.
    #[serde(rename = "reference", skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// The identity that STS reported; `None` for scrubbed accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// The rule or account entry that maps the identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matched: Option<MatchedEntry>,
    /// Whether the identity is protected (`server.protect`) and the mounted file, which takes precedence, maps it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
    /// The rules that match the identity, but whose condition is not true.
    #[serde(rename = "passedOver", skip_serializing_if = "Vec::is_empty")]
    pub skipped_rules: Vec<SkippedRule>,
    /// The rules that also match the identity, but have a lower precedence, in the same or a later backend.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outranked: Vec<Source>,
    /// The rules that nearly match, if the identity is not mapped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub near_misses: Vec<NearMiss>,
    /// Whether the identity belongs to a scrubbed account. Log only the result of the decision then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub scrubbed: bool,
}

/// A rule that matches an identity, but whose condition is not true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SkippedRule {
    /// The rule.
    pub rule: Source,
    /// The reason why the condition could not be evaluated; `None` if the condition is false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

impl fmt::Display for SkippedRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.failure {
            None => write!(f, "the condition of {} is false", self.rule),
            Some(failure) => write!(f, "the condition of {} failed: {failure}", self.rule),
        }
    }
}

/// The rule or account entry that maps an identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", untagged)]
pub enum MatchedEntry {
    /// A rule.
    Rule(Source),
    /// An entry of `mapAccounts`.
    Account {
        /// The backend that contains the entry.
        backend: Backend,
        /// The account.
        account: AccountId,
    },
}

impl MatchedEntry {
    /// Returns the backend of the entry.
    #[must_use]
    pub fn backend(&self) -> Backend {
        match self {
            Self::Rule(source) => source.backend,
            Self::Account { backend, .. } => *backend,
        }
    }
}

impl fmt::Display for MatchedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(source) => source.fmt(f),
            Self::Account { backend, account } => write!(f, "{backend} mapAccounts {account}"),
        }
    }
}

impl Explanation {
    /// Returns the message for `refusal`: the reason, and the advice if there is any.
    #[must_use]
    pub fn refusal_message(&self, refusal: &RulesRefusal) -> String {
        match refusal {
            RulesRefusal::NotMapped => {
                let subject = match &self.identity {
                    Some(identity) => format!("`{}`", identity.arn.canonical()),
                    None => "the identity".to_owned(),
                };
                format!(
                    "{subject} is not mapped to a Kubernetes user; ask an administrator of the cluster to map it"
                )
            }
            RulesRefusal::Name(NameError { field, problem }) => {
                format!("the rule for this identity produces an invalid `{field}`: {problem}")
            }
            RulesRefusal::Validation(message) => {
                format!("this cluster refuses the user: {message}")
            }
            RulesRefusal::ValidationFailed(error) => {
                format!("a validation of this cluster could not be evaluated: {error}")
            }
        }
    }

    /// Returns a sentence for each skipped rule and near miss. Show the sentences only to administrators, because they
    /// name other identities.
    #[must_use]
    pub fn hints(&self) -> Vec<String> {
        let skipped_rules = self.skipped_rules.iter().map(ToString::to_string);
        let near_misses = self.near_misses.iter().map(ToString::to_string);
        skipped_rules.chain(near_misses).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::near_miss::Difference;

    #[test]
    fn hints_have_one_sentence_per_skipped_rule_and_near_miss() {
        let rule = |position: &str| Source {
            backend: Backend::Crd,
            position: position.to_owned(),
        };
        let explanation = Explanation {
            skipped_rules: vec![
                SkippedRule {
                    rule: rule("a"),
                    failure: None,
                },
                SkippedRule {
                    rule: rule("b"),
                    failure: Some("no such key".to_owned()),
                },
            ],
            near_misses: vec![NearMiss {
                rule: rule("c"),
                subject: "acs:ram::1:user/x".to_owned(),
                difference: Difference::Account,
            }],
            ..Explanation::default()
        };
        assert_eq!(
            explanation.hints(),
            [
                "the condition of CRD a is false",
                "the condition of CRD b failed: no such key",
                "CRD c maps `acs:ram::1:user/x`: another account",
            ]
        );
    }
}
