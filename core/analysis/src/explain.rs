//! How a configuration maps an identity, step by step.

use ack_ram_config::{CompiledRules, Config, ExternalMappings};
use ack_ram_core::arn::Arn;
use ack_ram_core::identity::Identity;
use ack_ram_core::kubernetes_user::KubernetesUser;
use ack_ram_core::rules::{
    Backend, BackendRules, Explanation, MatchedEntry, RulesError, RulesRefusal, RulesUnavailable,
};
use serde::{Serialize, Serializer};

use crate::mapping_terms::MappingTerms;

/// The trace of how a configuration maps an identity.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// The code of the outcome: `granted`, or the code of the refusal.
    pub code: &'static str,
    /// The backends, in order of precedence.
    pub backends: Vec<BackendTrace>,
    /// How the rules produced the outcome.
    #[serde(flatten)]
    pub explanation: Explanation,
    /// The rule that matched, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<MatchedRule>,
    /// The resulting user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<TracedUser>,
    /// The reason that there is no user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A backend and its outcome.
#[derive(Debug, Serialize)]
pub struct BackendTrace {
    /// The backend.
    pub backend: Backend,
    /// The number of rules and accounts in the backend.
    pub rules: usize,
    /// The backend's outcome for the identity.
    pub answer: BackendOutcome,
}

/// The outcome of a backend for an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum BackendOutcome {
    /// The backend maps the identity.
    Matched,
    /// The backend does not map the identity.
    NoMatch,
    /// The backend's rules are not in the file, and they take precedence over the rules of later backends.
    #[serde(rename = "notRead")]
    NotReady,
    /// An earlier backend decided, so this backend is not consulted.
    NotAsked,
}

/// The rule that matched, as written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MatchedRule {
    /// The file, line and column.
    pub place: String,
    /// The subject of the rule: an ARN, a pattern, an ID, or the identities that match its condition.
    pub about: String,
    /// The condition of the rule, and the names that it gives.
    #[serde(flatten)]
    pub terms: MappingTerms,
    /// The role, if the ARN names a single session. Such a rule maps every session of the role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_session_of: Option<Arn>,
}

/// The Kubernetes user in a trace.
#[derive(Debug, Serialize)]
pub struct TracedUser {
    /// `status.user.username`
    pub username: String,
    /// `status.user.uid`
    pub uid: String,
    /// `status.user.groups`
    pub groups: Vec<String>,
    /// `status.user.extra`, with one value for each key.
    #[serde(serialize_with = "as_map")]
    pub extra: Vec<(&'static str, String)>,
}

fn as_map<S: Serializer>(
    extra: &[(&'static str, String)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(extra.iter().map(|(key, value)| (key, value)))
}

impl From<KubernetesUser> for TracedUser {
    fn from(user: KubernetesUser) -> Self {
        Self {
            username: user.username,
            uid: user.uid,
            groups: user.groups,
            extra: user.extra,
        }
    }
}

/// Traces how `compiled` maps `identity`. This grants no access.
///
/// `compiled` must have been compiled from `config` and `external`, which show where the matched rule is written.
#[must_use]
pub fn trace<P>(
    config: &Config<P>,
    external: &ExternalMappings,
    compiled: &CompiledRules,
    identity: &Identity,
) -> Trace {
    let (explanation, result) = compiled.rules.explain(identity);
    let (code, user, reason) = match result {
        Ok(user) => ("granted", Some(user.into()), None),
        Err(RulesError::Refused(refusal)) => (
            refusal.code(),
            None,
            Some(refusal_reason(&explanation, &refusal)),
        ),
        Err(RulesError::Unavailable(unavailable)) => {
            let reason = match unavailable {
                RulesUnavailable::NotReady(backend) => format!(
                    "the answer depends on the backend {backend}, whose mappings are not in the file; run `get mappings` to see the mappings of a running server"
                ),
                RulesUnavailable::Broken(backend) => {
                    format!("the mappings of the backend {backend} are invalid")
                }
                RulesUnavailable::Stale(backend) => {
                    format!("the mappings of the backend {backend} are stale")
                }
            };
            (unavailable.code(), None, Some(reason))
        }
    };
    Trace {
        code,
        backends: trace_backends(compiled, &explanation),
        rule: find_matched_rule(config, external, explanation.matched.as_ref()),
        explanation,
        user,
        reason,
    }
}

/// Returns the reason for an administrator. The message for callers would tell them to ask an administrator.
fn refusal_reason(explanation: &Explanation, refusal: &RulesRefusal) -> String {
    match refusal {
        RulesRefusal::NotMapped => "no rule matches this identity".to_owned(),
        RulesRefusal::Name(_) | RulesRefusal::Validation(_) | RulesRefusal::ValidationFailed(_) => {
            explanation.refusal_message(refusal)
        }
    }
}

fn trace_backends(compiled: &CompiledRules, explanation: &Explanation) -> Vec<BackendTrace> {
    let matched = explanation.matched.as_ref().map(MatchedEntry::backend);
    let mut is_over = false;
    let mut answer = |rules: &BackendRules| {
        if matched == Some(rules.backend()) {
            is_over = true;
            BackendOutcome::Matched
        } else if is_over || explanation.protected {
            BackendOutcome::NotAsked
        } else if rules.is_synced() {
            BackendOutcome::NoMatch
        } else {
            is_over = true;
            BackendOutcome::NotReady
        }
    };
    let backends = compiled.rules.backends().iter();
    backends
        .map(|rules| BackendTrace {
            backend: rules.backend(),
            rules: rules.len(),
            answer: answer(rules),
        })
        .collect()
}

fn find_matched_rule<P>(
    config: &Config<P>,
    external: &ExternalMappings,
    matched: Option<&MatchedEntry>,
) -> Option<MatchedRule> {
    let MatchedEntry::Rule(source) = matched? else {
        return None;
    };
    let located = [&config.mappings]
        .into_iter()
        .chain(external.values())
        .flat_map(|read| &read.mappings)
        .find(|located| located.value.source == *source)?;
    let spec = &located.value.spec;
    let about = [
        Some(spec.arn.clone()).filter(|arn| !arn.is_empty()),
        spec.arn_pattern.clone(),
        spec.user_id.as_ref().map(|id| format!("user ID {id}")),
        spec.role_id.as_ref().map(|id| format!("role ID {id}")),
    ];
    Some(MatchedRule {
        place: located.location.to_string(),
        about: about
            .into_iter()
            .flatten()
            .next()
            .unwrap_or_else(|| "any identity that matches the condition".to_owned()),
        terms: MappingTerms::new(spec.clone()),
        every_session_of: located.value.role_of_session(),
    })
}
