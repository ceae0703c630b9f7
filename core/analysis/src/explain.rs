//! What a configuration makes of somebody, step by step.

use ack_ram_config::{CompiledRules, Config, ExternalMappings};
use ack_ram_core::arn::Arn;
use ack_ram_core::identity::Identity;
use ack_ram_core::kubernetes_user::KubernetesUser;
use ack_ram_core::rules::{
    Backend, BackendRules, Explanation, MatchedEntry, RulesError, RulesRefusal, RulesUnavailable,
};
use serde::{Serialize, Serializer};

use crate::mapping_terms::MappingTerms;

/// All that there is to say.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// The stable name of the outcome.
    pub code: &'static str,
    /// The backends, in the order in which they are asked.
    pub backends: Vec<BackendTrace>,
    /// How the rules came to that.
    #[serde(flatten)]
    pub explanation: Explanation,
    /// The rule that matched, as it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<MatchedRule>,
    /// The user that results.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<TracedUser>,
    /// Why there is no user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A backend and its outcome.
#[derive(Debug, Serialize)]
pub struct BackendTrace {
    /// Which one.
    pub backend: Backend,
    /// How many rules and accounts it has.
    pub rules: usize,
    /// What it says.
    pub answer: BackendOutcome,
}

/// What a backend says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum BackendOutcome {
    /// It maps the identity.
    Matched,
    /// It does not.
    NoMatch,
    /// Its rules are not in the file, and would answer before those that come after it.
    #[serde(rename = "notRead")]
    NotReady,
    /// One before it has answered.
    NotAsked,
}

/// The rule that matched, as it is written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MatchedRule {
    /// File, line and column.
    pub place: String,
    /// Whom it is about.
    pub about: String,
    /// What it gives, and when.
    #[serde(flatten)]
    pub terms: MappingTerms,
    /// The role, if the ARN names one session of it: every session of the role is mapped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_session_of: Option<Arn>,
}

/// A Kubernetes user.
#[derive(Debug, Serialize)]
pub struct TracedUser {
    /// `status.user.username`
    pub username: String,
    /// `status.user.uid`
    pub uid: String,
    /// `status.user.groups`
    pub groups: Vec<String>,
    /// `status.user.extra`, of which each has one value.
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

/// What `compiled`, which was made from `config` and `external`, makes of `identity`. Nobody is let in by it.
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
                    "the backend {backend} answers first, and what it maps is not in the file; `get mappings` shows what a running server has"
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

/// Here the person is the administrator who would be asked.
fn refusal_reason(explanation: &Explanation, refusal: &RulesRefusal) -> String {
    match refusal {
        RulesRefusal::NotMapped => "no rule speaks for this identity".to_owned(),
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
    let given = [&config.mappings]
        .into_iter()
        .chain(external.values())
        .flat_map(|read| &read.mappings)
        .find(|given| given.value.source == *source)?;
    let spec = &given.value.spec;
    let about = [
        Some(spec.arn.clone()).filter(|arn| !arn.is_empty()),
        spec.arn_pattern.clone(),
        spec.user_id.as_ref().map(|id| format!("user id {id}")),
        spec.role_id.as_ref().map(|id| format!("role id {id}")),
    ];
    Some(MatchedRule {
        place: given.location.to_string(),
        about: about
            .into_iter()
            .flatten()
            .next()
            .unwrap_or_else(|| "whoever meets the condition".to_owned()),
        terms: MappingTerms::new(spec.clone()),
        every_session_of: given.value.role_of_session(),
    })
}
