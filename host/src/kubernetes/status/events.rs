//! Kubernetes events about objects and the ConfigMap, which `kubectl describe` shows to the author of an edit.

use ack_ram_core::time::UnixTime;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client, Resource as _};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::kubernetes::crd::mapping::RamIdentityMapping;
use crate::kubernetes::status::desired::DesiredStatus;
use crate::kubernetes::status::observed::{self, ObservedCondition, ObservedStatus};
use crate::kubernetes::watch::session_arn::EVERY_SESSION;

/// The namespace of events about cluster-scoped objects, which Kubernetes itself also uses.
const NAMESPACE: &str = "default";
const CONTROLLER: &str = "ack-ram-authenticator";
/// The number of characters of an object's name that start the name of an event, which has at most 63 characters.
const NAME_PART: usize = 50;
/// The maximum burst of events. Thousands of objects may become invalid at the same time.
const BURST: f64 = 100.0;
/// The maximum sustained rate of events.
const PER_SECOND: f64 = 5.0;

/// Records Kubernetes events about errors and recoveries, once for each change.
pub(in crate::kubernetes) struct EventRecorder {
    client: Client,
    instance: String,
    limiter: Mutex<RateLimiter>,
}

/// An event to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::kubernetes) struct EventRecord {
    is_warning: bool,
    reason: &'static str,
    message: String,
}

impl EventRecord {
    /// Builds the events for an object whose status changes from `before` to `desired_status`.
    pub(in crate::kubernetes) fn new(
        desired_status: &DesiredStatus,
        before: &ObservedStatus,
        after: &ObservedStatus,
    ) -> Vec<Self> {
        let mut records = Vec::new();
        let mut push = |is_warning, (reason, message): (_, &str)| {
            let message = message.to_owned();
            records.push(Self {
                is_warning,
                reason,
                message,
            });
        };
        let text = |observed: Option<ObservedCondition>| observed.map(|observed| observed.text);
        let accepted = (
            desired_status.accepted.reason,
            &*desired_status.accepted.message,
        );
        if !desired_status.accepted.is_true || desired_status.accepted.reason == EVERY_SESSION {
            if text(before.accepted) != text(after.accepted) {
                push(true, accepted);
            }
        } else if before.accepted.is_some_and(|observed| !observed.is_true) {
            push(false, accepted);
        }
        if desired_status.conflicted.is_true && text(before.conflicted) != text(after.conflicted) {
            push(
                true,
                (
                    desired_status.conflicted.reason,
                    &desired_status.conflicted.message,
                ),
            );
        }
        records
    }

    /// Builds a warning.
    pub(in crate::kubernetes) fn warning(reason: &'static str, message: String) -> Self {
        Self {
            is_warning: true,
            reason,
            message,
        }
    }

    /// Builds an event of type `Normal`.
    pub(in crate::kubernetes) fn normal(reason: &'static str, message: String) -> Self {
        Self {
            is_warning: false,
            ..Self::warning(reason, message)
        }
    }

    /// Returns the type and the reason, as `kubectl` shows them.
    pub(in crate::kubernetes) fn type_and_reason(&self) -> (&'static str, &'static str) {
        let kind = if self.is_warning { "Warning" } else { "Normal" };
        (kind, self.reason)
    }
}

impl EventRecorder {
    /// Creates a recorder of the events of the replica `instance`.
    pub(in crate::kubernetes) fn new(client: Client, instance: &str) -> Self {
        Self {
            client,
            instance: instance.to_owned(),
            limiter: Mutex::new(RateLimiter::new(Instant::now())),
        }
    }

    /// Publishes `records` about the object `about`. If `about` has a resource version, all replicas may publish the
    /// same event, and only the first attempt creates it. Ignores failures, because the log has the same information.
    pub(in crate::kubernetes) async fn publish(
        &self,
        about: &ObjectReference,
        records: Vec<EventRecord>,
        now: UnixTime,
    ) {
        let namespace = about.namespace.as_deref().unwrap_or(NAMESPACE);
        let events = Api::<Event>::namespaced(self.client.clone(), namespace);
        for record in records {
            let is_allowed = self.limiter.lock().try_acquire(Instant::now());
            if !is_allowed {
                continue;
            }
            let event = self.event(about, namespace, record, now);
            match events.create(&PostParams::default(), &event).await {
                Err(kube::Error::Api(status)) if status.is_already_exists() => {}
                Err(error) => {
                    let object = about.name.as_deref().unwrap_or_default();
                    tracing::debug!(object, "cannot write an event: {error}");
                }
                Ok(_) => {}
            }
        }
    }

    fn event(
        &self,
        about: &ObjectReference,
        namespace: &str,
        record: EventRecord,
        now: UnixTime,
    ) -> Event {
        let (kind, reason) = record.type_and_reason();
        let (name, generate_name) = name(about, reason);
        Event {
            metadata: ObjectMeta {
                name,
                generate_name,
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            regarding: Some(about.clone()),
            action: Some("Map".to_owned()),
            reason: Some(reason.to_owned()),
            note: Some(record.message),
            type_: Some(kind.to_owned()),
            event_time: Some(MicroTime(
                Timestamp::from_second(now.seconds()).unwrap_or_default(),
            )),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            ..Event::default()
        }
    }
}

/// Returns the reference to a mapping object, for events about it.
pub(in crate::kubernetes) fn mapping(name: &str, uid: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some(RamIdentityMapping::api_version(&()).into_owned()),
        kind: Some(RamIdentityMapping::kind(&()).into_owned()),
        name: Some(name.to_owned()),
        uid: Some(uid.to_owned()),
        ..ObjectReference::default()
    }
}

/// Returns the name of an event, or the prefix that the API server completes to a name.
fn name(about: &ObjectReference, reason: &str) -> (Option<String>, Option<String>) {
    let object = about.name.as_deref().unwrap_or_default();
    let begin: String = object.chars().take(NAME_PART).collect();
    // A part of a name between dots must not be empty, and must not end with a dash.
    let begin = begin.trim_end_matches(['.', '-']);
    match &about.resource_version {
        None => (None, Some(format!("{begin}-"))),
        Some(version) => {
            let uid = about.uid.as_deref().unwrap_or_default();
            let edition = observed::text_digest(&format!("{uid} {version} {reason}"));
            (Some(format!("{begin}.{edition:016x}")), None)
        }
    }
}

/// Limits the rate of events.
#[derive(Debug)]
struct RateLimiter {
    left: f64,
    at: Instant,
}

impl RateLimiter {
    fn new(at: Instant) -> Self {
        Self { left: BURST, at }
    }

    fn try_acquire(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * PER_SECOND).min(BURST);
        self.at = now;
        let is_allowed = self.left >= 1.0;
        if is_allowed {
            self.left -= 1.0;
        }
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn event_names_are_valid() {
        let long = "a".repeat(49);
        for (object, begin) in [
            ("ann".to_owned(), "ann".to_owned()),
            (format!("{long}.b"), long.clone()),
            (format!("{long}-b"), long.clone()),
            (format!("{long}bc"), format!("{long}b")),
        ] {
            let about = mapping(&object, "1");
            assert_eq!(name(&about, "Refused"), (None, Some(format!("{begin}-"))));
            let edition = |version: &str, reason| {
                let about = ObjectReference {
                    resource_version: Some(version.to_owned()),
                    ..about.clone()
                };
                let (name, generate_name) = name(&about, reason);
                assert_eq!(generate_name, None);
                name.unwrap()
            };
            let first = edition("7", "Refused");
            assert!(first.starts_with(&format!("{begin}.")), "{first}");
            assert_eq!(first, edition("7", "Refused"), "same for all replicas");
            assert_ne!(first, edition("8", "Refused"));
            assert_ne!(first, edition("7", "InEffect"));
        }
    }

    #[test]
    fn event_rate_is_limited() {
        let start = Instant::now();
        let mut limiter = RateLimiter::new(start);
        for (second, wanted, granted) in
            [(0, 10_000, 100), (0, 1, 0), (2, 50, 10), (3_600, 500, 100)]
        {
            let now = start + Duration::from_secs(second);
            let count = (0..wanted).filter(|_| limiter.try_acquire(now)).count();
            assert_eq!(count, granted, "after {second} seconds");
        }
    }
}
