//! The watch of the ConfigMap that holds mappings, for as long as the server runs.

use std::pin::Pin;
use std::sync::Arc;

use ack_ram_core::rules::Backend;
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use k8s_openapi::api::core::v1::{ConfigMap, ObjectReference};
use kube::runtime::watcher::{self, Error, Event};
use kube::{Api, Client};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::Replica;
use super::events::{Events, News};
use super::failure::Failure;
use super::report::cut;
use super::watch::{
    RETRY, StalenessCheck, WATCH_SECONDS, WORKED, confirm_watch, is_too_old, noticing, retry,
};
use crate::backends::config_map::ConfigMapSource;
use crate::config::ConfigMapName;
use crate::config::document::ConfigMapData;

type WatchEvents = Pin<Box<dyn Stream<Item = Result<Event<ConfigMap>, Error>> + Send>>;

impl ConfigMapSource {
    /// Keeps the rules as the ConfigMap is, until `stop` is true or its sender is gone. What goes wrong is in the notes
    /// of the rules meanwhile, and is tried again; `failed` is called for each list that fails and each watch that ends
    /// early, and must be quick. Who makes an edit is told in events, of which each replica writes those that no other
    /// has written.
    pub async fn watch(
        &self,
        client: Client,
        replica: &Replica,
        failed: impl Fn() + Send,
        mut stop: watch::Receiver<bool>,
    ) {
        let events = Events::new(client.clone(), &replica.identity);
        let (tell, edits) = watch::channel(None);
        tokio::select! {
            () = self.follow(client, failed, &tell) => {}
            () = self.tell(&events, edits) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    /// Tells of edits, for as long as there may be some. Of those that come faster than events are written, the last.
    async fn tell(&self, events: &Events, mut edits: watch::Receiver<Option<Edit>>) {
        let mut was_refused = false;
        while edits.changed().await.is_ok() {
            let Some(edit) = edits.borrow_and_update().clone() else {
                continue;
            };
            let news = edit.news(was_refused);
            was_refused = !edit.refused.is_empty();
            events.tell(&edit.about, news, self.now()).await;
        }
    }

    async fn follow(
        &self,
        client: Client,
        failed: impl Fn() + Send,
        tell: &watch::Sender<Option<Edit>>,
    ) {
        let answered = Arc::new(Notify::new());
        let confirm = confirm_watch(self.live(), Backend::ConfigMap);
        let client = noticing(client, Arc::clone(&answered), confirm);
        let objects = Api::namespaced(client, &self.name().namespace);
        let mut events = open(&objects, self.name());
        let mut listed = None;
        let mut retry = retry();
        let mut works_since = None;
        let mut staleness = StalenessCheck::new();
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = staleness.tick() => {
                    if staleness.begins_list(self.live(), Backend::ConfigMap) {
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
                    if let Some(edit) = self.see(event, &mut listed) {
                        tell.send_replace(Some(edit));
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
            // An answer of before says nothing of what comes after this.
            if answered.notified().now_or_never().is_some() {
                works_since = Some(Instant::now());
            }
            if works_since
                .take()
                .is_some_and(|since: Instant| since.elapsed() >= WORKED)
            {
                retry = super::watch::retry();
            }
            failed();
            match Failure::of(&error) {
                Some(failure) => self.set_trouble(Some(trouble(&failure, self.name()))),
                None => tracing::debug!("the watch ended: {error}"),
            }
            if is_too_old(&error) {
                events = open(&objects, self.name());
            }
            tokio::time::sleep(retry.next().unwrap_or(RETRY.1)).await;
        }
    }

    /// Takes in `event`, and what edit of the ConfigMap that was, if any; `listed` is what the list that is being read has
    /// held until now.
    fn see(&self, event: Event<ConfigMap>, listed: &mut Option<ConfigMap>) -> Option<Edit> {
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
        // A finalizer may keep it, but somebody wants it gone.
        let is_there = |object: &ConfigMap| {
            let metadata = &object.metadata;
            metadata.deletion_timestamp.is_none()
                && metadata.name.as_ref() == Some(&self.name().name)
        };
        let Some(object) = object.filter(is_there) else {
            self.lose();
            return None;
        };
        let refused = self.read(&ConfigMapData {
            texts: object.data.unwrap_or_default(),
            binary: object.binary_data.unwrap_or_default().into_keys().collect(),
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
        Some(Edit { about, refused })
    }
}

/// An edit of the ConfigMap.
#[derive(Clone, Debug)]
struct Edit {
    about: ObjectReference,
    /// What of it cannot be used, and why.
    refused: Vec<String>,
}

impl Edit {
    /// What whoever made it is told; `was_refused`: something was wrong before it.
    fn news(&self, was_refused: bool) -> Vec<News> {
        let news = match self.refused.len() {
            0 if was_refused => News::normal("InEffect", "all of it is in effect".to_owned()),
            0 => return Vec::new(),
            1 => News::warning("Refused", cut(&self.refused.concat())),
            count => {
                let all = self.refused.join("\n");
                News::warning("Refused", cut(&format!("{count} are refused:\n{all}")))
            }
        };
        vec![news]
    }
}

fn open(objects: &Api<ConfigMap>, name: &ConfigMapName) -> WatchEvents {
    let config = watcher::Config {
        timeout: Some(WATCH_SECONDS),
        ..watcher::Config::default()
    };
    // Who may read one ConfigMap alone may list and watch it with this selector (Kubernetes, "RBAC", resourceNames).
    let config = config.fields(&format!("metadata.name={}", name.name));
    watcher::watcher(objects.clone(), config).boxed()
}

fn trouble(failure: &Failure, name: &ConfigMapName) -> String {
    match failure {
        Failure::Forbidden { verb } => format!(
            "no right to {verb} the {name}: allow get, list and watch of configmaps with the resource name `{}` in the namespace `{}`, as the Role in deploy/example.yaml does",
            name.name, name.namespace
        ),
        Failure::Unauthorized => failure.to_string(),
        Failure::NoDefinition => {
            format!(
                "the API server does not know ConfigMaps: name another in `server.kubeconfig` or `server.master`, to read the {name}"
            )
        }
        Failure::Unreachable(why) => {
            format!("the API server cannot be asked for the {name}: {why}")
        }
    }
}

#[cfg(test)]
mod tests;
