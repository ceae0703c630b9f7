//! The watch of mapping objects: the asynchronous part, which reads objects from the API server while the server runs.

mod config_map;
pub(super) mod objects;
mod revision;
pub(super) mod session_arn;

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ack_ram_core::rules::Backend;
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use hyper::Request;
use kube::client::Body;
use kube::runtime::watcher::{self, Error, Event};
use kube::{Api, Client};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::backends::live::LiveRules;
use crate::backoff::BackoffPolicy;
use crate::kubernetes::crd::object::MappingObject;
use crate::kubernetes::failure::{self, ApiFailure};
use crate::kubernetes::mapping_controller::{MappingController, Observation};

/// The number of objects in a page of a list.
const PAGE: u32 = 500;
/// The time after which the API server ends a watch, which is then resumed. A dead connection is detected a few seconds
/// later. Until then, a deleted mapping may stay in effect.
pub(super) const WATCH_SECONDS: u32 = 60;
/// The maximum number of events that are put in effect together.
const BATCH: usize = 512;
/// The timeout for the start of a response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// The interval of checks for a backend that has become stale while its watch is open. After the machine was suspended,
/// the watch may be dead.
pub(super) const STALENESS_CHECK_INTERVAL: Duration = Duration::from_secs(10);
/// The time after which a working watch resets the backoff.
pub(super) const RETRY_RESET_AFTER: Duration = Duration::from_millis(500);

type ObjectEvents = Pin<Box<dyn Stream<Item = Result<Event<MappingObject>, Error>> + Send>>;

impl MappingController {
    /// Syncs the rules with the objects, until `stop` is true or its sender is dropped. Retries after failures, which
    /// are in the notes of the backend in the meantime.
    pub async fn watch(&self, client: Client, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.follow(client) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn follow(&self, client: Client) {
        let answered = Arc::new(Notify::new());
        let confirm = confirm_watch(&self.live, Backend::Crd);
        let objects = Api::all(notifying_client(client, Arc::clone(&answered), confirm));
        let mut events = open(&objects);
        let mut retry = BackoffPolicy::WATCH.start();
        let mut works_since = None;
        let mut staleness = StalenessCheck::new();
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = staleness.tick() => {
                    if staleness.should_relist(&self.live, Backend::Crd) {
                        events = open(&objects);
                    }
                    continue;
                }
                () = answered.notified() => {
                    works_since = Some(Instant::now());
                    self.objects().recover(&self.live);
                    continue;
                }
            };
            let Some(event) = event else {
                events = open(&objects);
                continue;
            };
            let Err(error) = self.apply_batch(event, &mut events) else {
                continue;
            };
            staleness.list_failed();
            // An answer before the failure must not count as a recovery after the failure.
            if answered.notified().now_or_never().is_some() {
                works_since = Some(Instant::now());
                self.objects().recover(&self.live);
            }
            if works_since
                .take()
                .is_some_and(|since: Instant| since.elapsed() >= RETRY_RESET_AFTER)
            {
                retry.reset();
            }
            (self.observe)(Observation::WatchFailed);
            match ApiFailure::from_watch_error(&error) {
                Some(failure) => {
                    let at = Instant::now().into_std();
                    self.objects().fail(&failure, &self.live, at);
                }
                None => tracing::debug!("the watch ended: {error}"),
            }
            if is_too_old(&error) {
                events = open(&objects);
            }
            let pause = retry.next_pause();
            let wanted = failure::requested_pause(&error).unwrap_or_default();
            tokio::time::sleep(pause.max(wanted)).await;
        }
    }

    /// Applies `first` and the events of `rest` that have already arrived. Returns the error that ended the batch, if
    /// any.
    fn apply_batch(
        &self,
        first: Result<Event<MappingObject>, Error>,
        rest: &mut ObjectEvents,
    ) -> Result<(), Error> {
        let started = Instant::now();
        let mut batch = Vec::new();
        let mut next = Some(first);
        let mut end = Ok(());
        while let Some(event) = next {
            match event {
                Ok(event) => {
                    let is_whole_list = matches!(event, Event::InitDone);
                    batch.push(event);
                    // Apply the list before the watch starts: a watch does not confirm a stale backend.
                    if is_whole_list {
                        break;
                    }
                }
                Err(error) => {
                    end = Err(error);
                    break;
                }
            }
            if batch.len() >= BATCH {
                break;
            }
            next = rest.next().now_or_never().flatten();
        }
        if batch.iter().any(|event| matches!(event, Event::Init)) {
            (self.observe)(Observation::Listed);
        }
        let news = |event: &&Event<_>| matches!(event, Event::Apply(_) | Event::Delete(_));
        let events = batch.iter().filter(news).count();
        let is_whole_list = batch.iter().any(|event| matches!(event, Event::InitDone));
        let touched = self
            .objects()
            .apply_events(batch, &self.live, (self.clock)());
        if is_whole_list {
            self.live.confirmations().confirm(Backend::Crd);
        } else if events > 0 {
            self.live.confirmations().confirm_in_part(Backend::Crd);
        }
        if events > 0 {
            let after = started.elapsed();
            (self.observe)(Observation::InEffect { events, after });
        }
        self.status_queue.add(touched);
        end
    }
}

fn open(objects: &Api<MappingObject>) -> ObjectEvents {
    let config = watcher::Config {
        page_size: Some(PAGE),
        timeout: Some(WATCH_SECONDS),
        ..watcher::Config::default()
    };
    watcher::watcher(objects.clone(), config).boxed()
}

/// Returns whether the API server no longer has the events since the last watch. If it says so in the response to a
/// watch and not in an event, `kube` would repeat the same request.
pub(super) fn is_too_old(error: &Error) -> bool {
    matches!(error, Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 410)
}

/// A periodic check for a backend that becomes stale without an event.
pub(super) struct StalenessCheck {
    interval: Interval,
    /// Whether the backend is stale and a list has been started.
    is_listing: bool,
}

impl StalenessCheck {
    pub(super) fn new() -> Self {
        let mut interval = tokio::time::interval(STALENESS_CHECK_INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            interval,
            is_listing: false,
        }
    }

    pub(super) async fn tick(&mut self) {
        self.interval.tick().await;
    }

    /// Returns whether `backend` has to be listed again. Does not start a second list while one is in progress.
    pub(super) fn should_relist(&mut self, live: &LiveRules, backend: Backend) -> bool {
        let is_stale = live.confirmations().is_stale(backend);
        let was_listing = mem::replace(&mut self.is_listing, is_stale);
        is_stale && !was_listing
    }

    /// Records that a list or watch failed, so that the next check may start another list.
    pub(super) fn list_failed(&mut self) {
        self.is_listing = false;
    }
}

/// A callback for the start of a watch. Returns whether the watch confirms the objects that were read before it. If
/// not, all objects are listed again.
pub(super) type ConfirmWatch = Arc<dyn Fn() -> bool + Send + Sync>;

/// Returns a callback that confirms `backend` in `live` by the start of a watch.
pub(super) fn confirm_watch(live: &Arc<LiveRules>, backend: Backend) -> ConfirmWatch {
    let live = Arc::clone(live);
    Arc::new(move || live.confirmations().confirm_in_part(backend))
}

/// Wraps `client` to notify `answered` of each successful response, and to call `confirm` at the start of each watch.
/// The watcher does not report the start of a watch: without this, a failure would be reported until the next event.
///
/// Answers 410 to a watch from a revision that the API server does not have, and to a watch of a stale backend, so that
/// all objects are listed again.
pub(super) fn notifying_client(
    client: Client,
    answered: Arc<Notify>,
    confirm: ConfirmWatch,
) -> Client {
    let namespace = client.default_namespace().to_owned();
    let send = move |request: Request<Body>| {
        let client = client.clone();
        let answered = Arc::clone(&answered);
        let confirm = Arc::clone(&confirm);
        async move {
            let is_watch = revision::is_watch(request.uri());
            let send = async {
                revision::check(&client, request.uri()).await?;
                client.send(request).await
            };
            let response = tokio::time::timeout(RESPONSE_TIMEOUT, send)
                .await
                .map_err(|_| kube::Error::Service("the response did not start in time".into()))??;
            if response.status().is_success() {
                answered.notify_one();
                if is_watch && !confirm() {
                    let why = "the last confirmation before the watch is older than `server.maxStaleness`";
                    return Err(revision::gone(why));
                }
            }
            Ok::<_, kube::Error>(response)
        }
    };
    Client::new(tower::service_fn(send), namespace)
}

#[cfg(test)]
mod tests;
