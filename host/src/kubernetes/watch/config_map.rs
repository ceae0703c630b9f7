//! The watch of the ConfigMap with mappings, which runs while the server runs.

use std::pin::Pin;
use std::sync::Arc;

use ack_ram_core::rules::Backend;
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use k8s_openapi::api::core::v1::{ConfigMap, ObjectReference};
use kube::runtime::watcher::{self, Error, Event};
use kube::{Api, Client};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::backends::config_map::ConfigMapSource;
use crate::backoff::BackoffPolicy;
use crate::config::ConfigMapName;
use crate::config::document::ConfigMapData;
use crate::kubernetes::Replica;
use crate::kubernetes::failure::ApiFailure;
use crate::kubernetes::status::desired::cut;
use crate::kubernetes::status::events::{EventRecord, EventRecorder};
use crate::kubernetes::watch::{
    RETRY_RESET_AFTER, StalenessCheck, WATCH_SECONDS, confirm_watch, is_too_old, notifying_client,
};

type WatchEvents = Pin<Box<dyn Stream<Item = Result<Event<ConfigMap>, Error>> + Send>>;

impl ConfigMapSource {
    /// Syncs the rules with the ConfigMap, until `stop` is true or its sender is dropped. Retries after failures, which
    /// are in the notes of the backend in the meantime. Calls `failed`, which must return quickly, for each list that
    /// fails and each watch that ends early.
    ///
    /// Publishes events for the author of an edit. All replicas try to write each event, and only the first write
    /// succeeds.
    pub async fn watch(
        &self,
        client: Client,
        replica: &Replica,
        failed: impl Fn() + Send,
        mut stop: watch::Receiver<bool>,
    ) {
        let events = EventRecorder::new(client.clone(), &replica.identity);
        let (edit_sender, edits) = watch::channel(None);
        tokio::select! {
            () = self.follow(client, failed, &edit_sender) => {}
            () = self.publish_events(&events, edits) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    /// Publishes events about edits, until the sender of edits is dropped. If edits arrive faster than events can be
    /// written, publishes only the last edit.
    async fn publish_events(
        &self,
        events: &EventRecorder,
        mut edits: watch::Receiver<Option<ConfigMapEdit>>,
    ) {
        let mut was_refused = false;
        while edits.changed().await.is_ok() {
            let Some(edit) = edits.borrow_and_update().clone() else {
                continue;
            };
            let records = edit.records(was_refused);
            was_refused = !edit.refused.is_empty();
            events.publish(&edit.about, records, self.now()).await;
        }
    }

    async fn follow(
        &self,
        client: Client,
        failed: impl Fn() + Send,
        edit_sender: &watch::Sender<Option<ConfigMapEdit>>,
    ) {
        let answered = Arc::new(Notify::new());
        let confirm = confirm_watch(self.live(), Backend::ConfigMap);
        let client = notifying_client(client, Arc::clone(&answered), confirm);
        let objects = Api::namespaced(client, &self.name().namespace);
        let mut events = open(&objects, self.name());
        let mut listed = None;
        let mut retry = BackoffPolicy::WATCH.start();
        let mut works_since = None;
        let mut staleness = StalenessCheck::new();
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = staleness.tick() => {
                    if staleness.should_relist(self.live(), Backend::ConfigMap) {
                        events = open(&objects, self.name());
                    }
                    continue;
                }
                () = answered.notified() => {
                    works_since = Some(Instant::now());
                    self.set_trouble(None);
                    continue;
                }
            };
            let error = match event {
                Some(Ok(event)) => {
                    let (is_list, is_whole_list) = match event {
                        Event::Init | Event::InitApply(_) => (true, false),
                        Event::InitDone => (true, true),
                        Event::Apply(_) | Event::Delete(_) => (false, false),
                    };
                    if let Some(edit) = self.apply_event(event, &mut listed) {
                        edit_sender.send_replace(Some(edit));
                    }
                    let confirmations = self.live().confirmations();
                    if is_whole_list {
                        confirmations.confirm(Backend::ConfigMap);
                    } else if !is_list {
                        confirmations.confirm_in_part(Backend::ConfigMap);
                    }
                    continue;
                }
                Some(Err(error)) => error,
                None => {
                    events = open(&objects, self.name());
                    continue;
                }
            };
            staleness.list_failed();
            // An answer before the failure must not count as a recovery after the failure.
            if answered.notified().now_or_never().is_some() {
                works_since = Some(Instant::now());
            }
            if works_since
                .take()
                .is_some_and(|since: Instant| since.elapsed() >= RETRY_RESET_AFTER)
            {
                retry.reset();
            }
            failed();
            match ApiFailure::from_watch_error(&error) {
                Some(failure) => self.set_trouble(Some(describe_failure(&failure, self.name()))),
                None => tracing::debug!("the watch ended: {error}"),
            }
            if is_too_old(&error) {
                events = open(&objects, self.name());
            }
            tokio::time::sleep(retry.next_pause()).await;
        }
    }

    /// Applies `event`. Returns the edit of the ConfigMap, or `None` if the content has not changed. `listed` is the
    /// object in the list that is being read, if there was one.
    fn apply_event(
        &self,
        event: Event<ConfigMap>,
        listed: &mut Option<ConfigMap>,
    ) -> Option<ConfigMapEdit> {
        let object = match event {
            Event::Init => {
                *listed = None;
                return None;
            }
            Event::InitApply(object) => {
                *listed = Some(object);
                return None;
            }
            Event::InitDone => listed.take(),
            Event::Apply(object) => Some(object),
            Event::Delete(_) => None,
        };
        // A finalizer may keep the object, but a user has deleted it.
        let exists = |object: &ConfigMap| {
            let metadata = &object.metadata;
            metadata.deletion_timestamp.is_none()
                && metadata.name.as_ref() == Some(&self.name().name)
        };
        let Some(object) = object.filter(exists) else {
            self.clear();
            return None;
        };
        let refused = self.apply(&ConfigMapData {
            texts: object.data.unwrap_or_default(),
            binary_keys: object.binary_data.unwrap_or_default().into_keys().collect(),
        })?;
        let about = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("ConfigMap".to_owned()),
            namespace: Some(self.name().namespace.clone()),
            name: Some(self.name().name.clone()),
            uid: object.metadata.uid,
            resource_version: object.metadata.resource_version,
            ..ObjectReference::default()
        };
        Some(ConfigMapEdit { about, refused })
    }
}

/// An edit of the ConfigMap.
#[derive(Clone, Debug)]
struct ConfigMapEdit {
    about: ObjectReference,
    /// The refused entries, with the reasons.
    refused: Vec<String>,
}

impl ConfigMapEdit {
    /// Builds the events about the edit; `was_refused` says whether the previous edit had refused entries.
    fn records(&self, was_refused: bool) -> Vec<EventRecord> {
        let records = match self.refused.len() {
            0 if was_refused => {
                EventRecord::normal("InEffect", "all mappings are in effect".to_owned())
            }
            0 => return Vec::new(),
            1 => EventRecord::warning("Refused", cut(&self.refused.concat())),
            count => {
                let all = self.refused.join("\n");
                EventRecord::warning("Refused", cut(&format!("{count} errors:\n{all}")))
            }
        };
        vec![records]
    }
}

fn open(objects: &Api<ConfigMap>, name: &ConfigMapName) -> WatchEvents {
    let config = watcher::Config {
        timeout: Some(WATCH_SECONDS),
        ..watcher::Config::default()
    };
    // With this selector, a permission for a single ConfigMap includes list and watch (Kubernetes, "RBAC",
    // resourceNames).
    let config = config.fields(&format!("metadata.name={}", name.name));
    watcher::watcher(objects.clone(), config).boxed()
}

fn describe_failure(failure: &ApiFailure, name: &ConfigMapName) -> String {
    match failure {
        ApiFailure::Forbidden { verb } => format!(
            "no permission to {verb} the {name}; grant get, list and watch on configmaps with the resource name `{}` in the namespace `{}`, as the Role in deploy/example.yaml does",
            name.name, name.namespace
        ),
        ApiFailure::Unauthorized => failure.to_string(),
        ApiFailure::NoDefinition => {
            format!(
                "cannot read the {name}: the API server does not know ConfigMaps; set `server.kubeconfig` or `server.master` to another API server"
            )
        }
        ApiFailure::Unreachable(why) => {
            format!("cannot read the {name} from the API server: {why}")
        }
    }
}

#[cfg(test)]
mod tests;
