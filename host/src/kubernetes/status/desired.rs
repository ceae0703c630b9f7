//! The desired status of an object.

use ack_ram_config::last_good::describe_mapping;
use ack_ram_core::rules::subject::{Subject, SubjectId};
use ack_ram_core::rules::{BackendRules, Rule};
use ack_ram_core::time::UnixTime;
use kube::Resource as _;
use serde_json::{Value, json};

use crate::backends::live::{BackendNotes, Retention};
use crate::kubernetes::crd::mapping::{ACCEPTED, CONFLICTED, RamIdentityMapping};
use crate::kubernetes::status::observed::{self, ObservedCondition, ObservedStatus};
use crate::kubernetes::watch::objects::KnownObject;
use crate::kubernetes::watch::session_arn::{EVERY_SESSION, ONE_SESSION, SessionArn};

/// The maximum length in bytes of the parts of a message that quote an object.
const MAX_MESSAGE: usize = 900;
/// The maximum number of other objects that a message names.
const MAX_NAMED: usize = 3;

/// The desired status of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::kubernetes) struct DesiredStatus {
    /// The canonical form of `spec.arn`, if that is a single ARN and the mapping is in effect; otherwise `None`,
    /// because the Go server maps the identity with this ARN.
    canonical_arn: Option<String>,
    /// The ID of the RAM user, if the subject is one.
    user_id: Option<String>,
    pub(in crate::kubernetes) accepted: DesiredCondition,
    pub(in crate::kubernetes) conflicted: DesiredCondition,
}

/// A desired condition, without its type and times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::kubernetes) struct DesiredCondition {
    pub(in crate::kubernetes) is_true: bool,
    pub(in crate::kubernetes) reason: &'static str,
    pub(in crate::kubernetes) message: String,
}

impl DesiredStatus {
    /// Builds the status of the object `name` from the rules in effect.
    pub(in crate::kubernetes) fn new(
        name: &str,
        known: &KnownObject,
        rules: &BackendRules,
        notes: &BackendNotes,
    ) -> Self {
        let accepted = accepted(name, known, rules, notes);
        let (canonical_arn, user_id) = match rules.rule(name).map(Rule::subject) {
            Some(Subject::Arn(arn)) if accepted.is_true && known.names_arn => {
                (Some(arn.canonical().to_string()), None)
            }
            Some(Subject::Id(SubjectId::User(id))) if accepted.is_true => {
                (None, Some(id.to_string()))
            }
            _ => (None, None),
        };
        Self {
            canonical_arn,
            user_id,
            accepted,
            conflicted: conflicted(name, rules),
        }
    }

    /// Returns the status as it will be observed after the write. The object has the generation `generation` and the
    /// current status `before`.
    pub(in crate::kubernetes) fn to_observed(
        &self,
        generation: i64,
        before: &ObservedStatus,
        now: UnixTime,
    ) -> ObservedStatus {
        let text = |text: &Option<String>| text.as_deref().map_or(0, observed::text_digest);
        ObservedStatus {
            canonical_arn: text(&self.canonical_arn),
            user_id: text(&self.user_id),
            generation,
            accepted: Some(self.accepted.observed(before.accepted, now)),
            conflicted: Some(self.conflicted.observed(before.conflicted, now)),
        }
    }

    /// Returns the server-side apply patch that sets the status of an object to `observed_status`. The `uid` prevents
    /// writing to another object that was created under the same `name`.
    pub(in crate::kubernetes) fn patch(
        &self,
        name: &str,
        uid: &str,
        observed_status: &ObservedStatus,
    ) -> Value {
        let generation = observed_status.generation;
        let mut status = json!({
            "observedGeneration": generation,
            "conditions": [
                self.accepted.condition(ACCEPTED, observed_status.accepted, generation),
                self.conflicted.condition(CONFLICTED, observed_status.conflicted, generation),
            ],
        });
        let fields = [
            ("canonicalARN", &self.canonical_arn),
            ("userID", &self.user_id),
        ];
        if let Some(status) = status.as_object_mut() {
            for (field, text) in fields {
                let text = text
                    .as_ref()
                    .map(|text| (field.to_owned(), text.clone().into()));
                status.extend(text);
            }
        }
        json!({
            "apiVersion": RamIdentityMapping::api_version(&()),
            "kind": RamIdentityMapping::kind(&()),
            "metadata": { "name": name, "uid": uid },
            "status": status,
        })
    }

    /// Returns the merge patch that removes outdated fields of another program from the status `written`, or `None` if
    /// there are none. Server-side apply does not remove fields of other programs.
    pub(in crate::kubernetes) fn removal(
        &self,
        uid: &str,
        written: &ObservedStatus,
    ) -> Option<Value> {
        let has_other_arn = self.canonical_arn.is_none() && written.canonical_arn != 0;
        let has_other_id = self.user_id.is_none() && written.user_id != 0;
        let mut status = serde_json::Map::new();
        if has_other_arn {
            status.insert("canonicalARN".to_owned(), Value::Null);
        }
        if has_other_id {
            status.insert("userID".to_owned(), Value::Null);
        }
        (!status.is_empty()).then(|| json!({ "metadata": { "uid": uid }, "status": status }))
    }
}

impl DesiredCondition {
    fn observed(&self, before: Option<ObservedCondition>, now: UnixTime) -> ObservedCondition {
        ObservedCondition {
            is_true: self.is_true,
            since: match before {
                Some(before) if before.is_true == self.is_true => before.since,
                _ => now,
            },
            text: observed::condition_digest(self.reason, &self.message),
        }
    }

    fn condition(&self, kind: &str, observed: Option<ObservedCondition>, generation: i64) -> Value {
        json!({
            "type": kind,
            "status": if self.is_true { "True" } else { "False" },
            "reason": self.reason,
            "message": self.message,
            "lastTransitionTime": observed.map(|observed| observed.since.to_string()),
            "observedGeneration": generation,
        })
    }
}

fn accepted(
    name: &str,
    known: &KnownObject,
    rules: &BackendRules,
    notes: &BackendNotes,
) -> DesiredCondition {
    let activation = notes.in_effect.get(name);
    let kept = activation.and_then(|activation| activation.retention.as_ref());
    let refused_as = match known.session_arn {
        Some(SessionArn::Refused) => ONE_SESSION,
        Some(SessionArn::AsInGo) | None => "Refused",
    };
    let (is_true, reason, message) = match (kept, notes.refused.get(name)) {
        (Some(kept), _) => {
            let Retention {
                until,
                reason,
                basis,
                ..
            } = kept;
            let what = rules
                .rule(name)
                .map(|rule| describe_mapping(&rule.to_mapping()));
            let message = format!(
                "{}; until the error is corrected, and at most until {until}, this stays in effect: {}, because {basis}",
                cut(reason),
                cut(&what.unwrap_or_default())
            );
            (false, "LastGoodInEffect", message)
        }
        (None, Some(reason)) => {
            let message = format!("{}; this object maps no identity", cut(reason));
            (false, refused_as, message)
        }
        (None, None) => match rules.rule(name).map(Rule::subject) {
            Some(role) if known.session_arn == Some(SessionArn::AsInGo) => {
                let role = cut(&role.to_string());
                let message = format!(
                    "the mapping is in effect as in the Go server: its ARN names one session, but it maps every session of the role; use the ARN of the role, `{role}`; an edit that keeps the current ARN will be refused"
                );
                (true, EVERY_SESSION, message)
            }
            _ => (true, "InEffect", "the mapping is in effect".to_owned()),
        },
    };
    DesiredCondition {
        is_true,
        reason,
        message,
    }
}

fn conflicted(name: &str, rules: &BackendRules) -> DesiredCondition {
    if let Some(winner) = rules.shadowing_rule(name) {
        let winner = cut(&winner.source().position);
        return DesiredCondition {
            is_true: true,
            reason: "NeverAnswers",
            message: format!(
                "shadowed by {winner}, which maps the same identity and takes precedence; delete one of the two"
            ),
        };
    }
    let shadowed_objects = shadowed_objects(name, rules);
    if shadowed_objects.is_empty() {
        return DesiredCondition {
            is_true: false,
            reason: "NoConflict",
            message: "this object is not shadowed and shadows no other object".to_owned(),
        };
    }
    DesiredCondition {
        is_true: true,
        reason: "AnswersFirst",
        message: format!(
            "this object takes precedence over others that map the same identity and have no effect: {}; delete all but one",
            cut(&shadowed_objects.join(", "))
        ),
    }
}

/// Returns the names of some of the objects that the object `name` shadows.
fn shadowed_objects(name: &str, rules: &BackendRules) -> Vec<String> {
    let rivals = rules.same_subject_rules(name);
    // The last rivals are the most likely to be shadowed. Checking only a few avoids comparing many rivals with each
    // other.
    let last = rivals.iter().rev().take(MAX_NAMED);
    let mut shadowed_objects: Vec<String> = last
        .map(|rival| rival.source().position.clone())
        .filter(|rival| {
            let winner = rules.shadowing_rule(rival);
            winner.is_some_and(|winner| winner.source().position == name)
        })
        .collect();
    shadowed_objects.reverse();
    if shadowed_objects.len() == MAX_NAMED && rivals.len() > MAX_NAMED {
        shadowed_objects.push("and others".to_owned());
    }
    shadowed_objects
}

/// Returns `text`, truncated if it is longer than [`MAX_MESSAGE`].
pub(in crate::kubernetes) fn cut(text: &str) -> String {
    if text.len() <= MAX_MESSAGE {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(MAX_MESSAGE);
    format!("{}...", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests;
