//! The observed objects: the synchronous part of the watch, which turns events into changes of the rules.

mod rule_change;

use std::collections::{BTreeSet, HashMap};
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use ack_ram_core::rules::{Backend, BackendRules, Mapping, Rule, SessionArnMode};
use ack_ram_core::time::UnixTime;
use kube::Resource as _;
use kube::runtime::watcher::Event;

use crate::backends::live::{BackendNotes, LiveRules};
use crate::kubernetes::crd::object::{MappingObject, ObjectError};
use crate::kubernetes::failure::{ApiFailure, MissingCrd};
use crate::kubernetes::status::observed::{self, ObservedStatus};
use crate::kubernetes::watch::objects::rule_change::RuleChange;
use crate::kubernetes::watch::session_arn::SessionArn;

/// All observed objects, each reduced to the data that is needed to detect changes.
#[derive(Debug, Default)]
pub(in crate::kubernetes) struct ObjectStore {
    known: HashMap<Arc<str>, KnownObject>,
    /// The number of the list that is being read, or was read last.
    list: u32,
    /// Whether a complete list has been read.
    is_synced: bool,
    /// Changes that are not applied yet. They are collected until the first list is complete, and then applied
    /// together.
    pending_changes: Vec<RuleChange>,
    missing_crd: MissingCrd,
    /// Whether the last attempt did not reach the API server.
    is_unreachable: bool,
    trouble: Option<String>,
}

/// An observed object.
#[derive(Debug)]
pub(in crate::kubernetes) struct KnownObject {
    uid: Box<str>,
    pub(in crate::kubernetes) generation: i64,
    /// The digest of the spec. It also detects changes after a restore from a backup, which may repeat generations.
    pub(in crate::kubernetes) spec: u64,
    /// How the object is handled if `spec.arn` names one session.
    pub(in crate::kubernetes) session_arn: Option<SessionArn>,
    /// Whether `spec.arn` names the subject.
    pub(in crate::kubernetes) names_arn: bool,
    /// The number of the list in which, or after which, the object was last observed.
    list: u32,
    /// The status in the cluster.
    pub(in crate::kubernetes) observed_status: ObservedStatus,
    /// The time of this replica's last write of the status, and the fingerprint of that status.
    pub(in crate::kubernetes) written: Option<(Instant, u64)>,
}

/// The names of objects whose status may have to change.
pub(in crate::kubernetes) type TouchedNames = BTreeSet<Arc<str>>;

impl ObjectStore {
    /// Applies `events` in order to `live`. Returns the objects whose status may have to change.
    pub(in crate::kubernetes) fn apply_events(
        &mut self,
        events: impl IntoIterator<Item = Event<MappingObject>>,
        live: &LiveRules,
        now: UnixTime,
    ) -> TouchedNames {
        let was_synced = self.is_synced;
        let mut touched = TouchedNames::new();
        for event in events {
            match event {
                Event::Init => self.list = self.list.wrapping_add(1),
                Event::InitApply(object) | Event::Apply(object) => {
                    touched.extend(self.upsert(&object));
                }
                Event::Delete(object) => self.remove(object.name()),
                Event::InitDone => {
                    self.remove_unlisted();
                    self.is_synced = true;
                }
            }
        }
        if !self.is_synced || (was_synced && self.pending_changes.is_empty()) {
            return touched;
        }
        let changes = mem::take(&mut self.pending_changes);
        live.change(Backend::Crd, |edit| {
            for change in changes {
                // After the first list, the status of every object is checked anyway.
                if was_synced {
                    touched.extend(rivals(edit.rules(), change.name()));
                }
                let name = Arc::clone(change.name());
                touched.extend(change.apply_to(edit, now));
                if was_synced {
                    touched.extend(rivals(edit.rules(), &name));
                }
                touched.insert(name);
            }
            edit.mark_synced();
        });
        touched
    }

    /// Records a failure of a list or a watch. Keeps the rules, unless it is certain that there are no objects.
    pub(in crate::kubernetes) fn fail(
        &mut self,
        failure: &ApiFailure,
        live: &LiveRules,
        at: Instant,
    ) {
        // The first failure may be due to a dead kept connection, so report it only if the next attempt fails, too.
        let is_first = !mem::replace(
            &mut self.is_unreachable,
            matches!(failure, ApiFailure::Unreachable(_)),
        );
        if self.is_unreachable && is_first {
            tracing::debug!("{failure}");
        } else {
            self.set_trouble(Some(failure.to_string()), live);
        }
        if !self.missing_crd.is_certain(failure, at) {
            return;
        }
        if !self.is_synced || !self.known.is_empty() {
            self.forget_all(live);
        }
        // The API server confirms that the kind does not exist, and therefore no object.
        live.confirmations().confirm(Backend::Crd);
    }

    /// Removes all objects.
    fn forget_all(&mut self, live: &LiveRules) {
        self.known = HashMap::new();
        self.pending_changes = Vec::new();
        self.is_synced = true;
        let trouble = self.trouble.clone();
        live.change(Backend::Crd, |edit| {
            let mut rules = edit.rules().clone();
            rules.reset();
            rules.mark_synced();
            let notes = BackendNotes {
                trouble,
                ..BackendNotes::default()
            };
            edit.replace(rules, notes);
        });
    }

    /// Clears failures, because the API server answers the watch.
    pub(in crate::kubernetes) fn recover(&mut self, live: &LiveRules) {
        self.missing_crd = MissingCrd::default();
        self.is_unreachable = false;
        self.set_trouble(None, live);
    }

    /// Returns the names of all objects.
    pub(in crate::kubernetes) fn names(&self) -> TouchedNames {
        self.known.keys().cloned().collect()
    }

    /// Returns the names of the objects whose status reports a conflict.
    pub(in crate::kubernetes) fn conflicted(&self) -> TouchedNames {
        let known = self.known.iter();
        known
            .filter(|(_, known)| known.observed_status.is_conflicted())
            .map(|(name, _)| Arc::clone(name))
            .collect()
    }

    pub(in crate::kubernetes) fn get(&self, name: &str) -> Option<&KnownObject> {
        self.known.get(name)
    }

    /// Records the status that the API server returned for a write.
    pub(in crate::kubernetes) fn record_written_status(
        &mut self,
        object: &MappingObject,
        at: Instant,
    ) {
        if let Some(known) = self.known.get_mut(object.name())
            && *known.uid == *uid(object)
        {
            known.observed_status = ObservedStatus::from_status(object.status());
            known.written = Some((at, known.observed_status.fingerprint()));
        }
    }

    /// Adds or updates an object. Returns the name of the object if only its status has to be checked.
    fn upsert(&mut self, object: &MappingObject) -> Option<Arc<str>> {
        if object.name().is_empty() {
            return None;
        }
        // A finalizer may keep the object, but a user has deleted it.
        if object.meta().deletion_timestamp.is_some() {
            self.remove(object.name());
            return None;
        }
        let mapping = object.mapping();
        let role = mapping.as_ref().ok().and_then(Mapping::role_of_session);
        let mut now = KnownObject {
            uid: uid(object).into(),
            generation: object.generation().unwrap_or_default(),
            spec: observed::digest(&mapping.as_ref().map_err(ToString::to_string)),
            session_arn: None,
            names_arn: mapping
                .as_ref()
                .is_ok_and(|mapping| !mapping.spec.arn.is_empty()),
            list: self.list,
            observed_status: ObservedStatus::from_status(object.status()),
            written: None,
        };
        let (name, before) = match self.known.get_key_value(object.name()) {
            Some((name, before)) => (Arc::clone(name), Some(before)),
            None => (object.name().into(), None),
        };
        now.session_arn = role.as_ref().map(|_| {
            if before.is_none() && !self.is_synced {
                SessionArn::decide_in_first_list(object)
            } else {
                SessionArn::decide_later(before, &now, object)
            }
        });
        let session_arn = now.session_arn;
        let before = before.filter(|before| before.uid == now.uid);
        let is_edit = before.is_some();
        let is_same = before.is_some_and(|before| {
            before.generation == now.generation
                && before.spec == now.spec
                && before.session_arn == now.session_arn
        });
        let has_other_status =
            before.is_some_and(|before| before.observed_status != now.observed_status);
        let written = before.and_then(|before| before.written);
        self.known
            .insert(Arc::clone(&name), KnownObject { written, ..now });
        if is_same {
            return has_other_status.then_some(name);
        }
        let mapping = match (role, session_arn) {
            (Some(role), Some(SessionArn::AsInGo)) => {
                tracing::warn!(backend = %Backend::Crd, object = %name, "the ARN names one session, but the object maps every session of the role, as in the Go server; use the ARN of the role, `{role}`");
                mapping.map(|mapping| Mapping {
                    session_arn_mode: SessionArnMode::AsRole,
                    ..mapping
                })
            }
            _ => mapping,
        };
        let change = match compile(mapping) {
            Ok(rule) => RuleChange::Apply(name, Box::new(rule)),
            Err(error) => RuleChange::Refuse {
                name,
                reason: error.to_string(),
                subject: object.partial().subject_text(),
                newest: is_edit.then(|| Box::new(object.partial().clone())),
            },
        };
        self.pending_changes.push(change);
        None
    }

    fn remove(&mut self, name: &str) {
        if let Some((name, _)) = self.known.remove_entry(name) {
            self.pending_changes.push(RuleChange::Delete(name));
        }
    }

    fn remove_unlisted(&mut self) {
        let list = self.list;
        let removed = self.known.extract_if(|_, known| known.list != list);
        let mut removed: Vec<Arc<str>> = removed.map(|(name, _)| name).collect();
        removed.sort_unstable();
        self.pending_changes
            .extend(removed.into_iter().map(RuleChange::Delete));
    }

    fn set_trouble(&mut self, trouble: Option<String>, live: &LiveRules) {
        if self.trouble == trouble {
            return;
        }
        match &trouble {
            Some(trouble) => tracing::warn!(backend = %Backend::Crd, "{trouble}"),
            None => tracing::info!(backend = %Backend::Crd, "the watch works again"),
        }
        self.trouble.clone_from(&trouble);
        live.change(Backend::Crd, |edit| edit.set_trouble(trouble));
    }
}

impl KnownObject {
    pub(in crate::kubernetes) fn uid(&self) -> &str {
        &self.uid
    }
}

fn compile(mapping: Result<Mapping, ObjectError>) -> Result<Rule, ObjectError> {
    Rule::compile(mapping?).map_err(ObjectError::Rule)
}

fn rivals(rules: &BackendRules, name: &str) -> Vec<Arc<str>> {
    let rivals = rules.same_subject_rules(name).into_iter();
    rivals
        .map(|rule| rule.source().position.as_str().into())
        .collect()
}

fn uid(object: &MappingObject) -> &str {
    object.meta().uid.as_deref().unwrap_or_default()
}

#[cfg(test)]
mod tests;
