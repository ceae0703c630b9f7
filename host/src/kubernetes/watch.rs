//! The watch: the asynchronous half, which reads objects from the API server for as long as the server runs.

use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ack_ram_core::rules::Backend;
use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use hyper::Request;
use kube::client::Body;
use kube::runtime::watcher::{self, Error, Event};
use kube::{Api, Client};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::failure::{self, ApiFailure};
use super::mapping_controller::{MappingController, Observation};
use super::object::MappingObject;
use super::revision;
use crate::backends::live::LiveRules;

/// How many objects the API server is asked for at once.
const PAGE: u32 = 500;
/// After this long the API server ends a watch, which is resumed. A connection that is dead without a word is noticed
/// a few seconds later: until then somebody's mapping may be gone and still answer.
pub(super) const WATCH_SECONDS: u32 = 60;
/// How many events are put in effect together.
const BATCH: usize = 512;
/// How long the API server may take to begin an answer.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// How soon a backend that has become stale while its watch is open is listed anew: after the machine was suspended, the
/// watch may be dead.
pub(super) const STALENESS_CHECK_INTERVAL: Duration = Duration::from_secs(10);
/// A watch that worked for this long is resumed as soon as if it were the first.
pub(super) const RETRY_RESET_AFTER: Duration = Duration::from_millis(500);
/// How soon to try again at first, and at most; jitter comes on top, at most as much again.
pub(super) const RETRY_DELAYS: (Duration, Duration) =
    (Duration::from_millis(100), Duration::from_millis(2_500));

type ObjectEvents = Pin<Box<dyn Stream<Item = Result<Event<MappingObject>, Error>> + Send>>;

impl MappingController {
    /// Keeps the rules as the objects are, until `stop` is true or its sender is gone. What goes wrong is in the notes
    /// of the rules meanwhile, and is tried again.
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
        let mut retry = retry();
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
            // It was answered before it failed, and says nothing of what comes after.
            if answered.notified().now_or_never().is_some() {
                works_since = Some(Instant::now());
                self.objects().recover(&self.live);
            }
            if works_since
                .take()
                .is_some_and(|since: Instant| since.elapsed() >= RETRY_RESET_AFTER)
            {
                retry = self::retry();
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
            let pause = retry.next().unwrap_or(RETRY_DELAYS.1);
            let wanted = failure::requested_pause(&error).unwrap_or_default();
            tokio::time::sleep(pause.max(wanted)).await;
        }
    }

    /// Takes in `first` and what else has already arrived.
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
                    // In effect before the watch after it begins: that confirms nothing while the backend is stale.
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

/// The API server no longer has what happened since; of an error in an answer's place, `kube` would ask again for it.
pub(super) fn is_too_old(error: &Error) -> bool {
    matches!(error, Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 410)
}

pub(super) fn retry() -> ExponentialBackoff {
    let (first, last) = RETRY_DELAYS;
    ExponentialBuilder::default()
        .with_min_delay(first)
        .with_max_delay(last)
        .with_jitter()
        .without_max_times()
        .build()
}

/// Looks from time to time whether a backend has become stale while nothing happens.
pub(super) struct StalenessCheck {
    interval: Interval,
    /// It is stale, and a list is on its way.
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

    /// Returns whether `backend` has to be listed anew. A list that takes long is not begun twice.
    pub(super) fn should_relist(&mut self, live: &LiveRules, backend: Backend) -> bool {
        let is_stale = live.confirmations().is_stale(backend);
        let was_listing = mem::replace(&mut self.is_listing, is_stale);
        is_stale && !was_listing
    }

    /// A list or watch failed: it is tried again, and so is this.
    pub(super) fn list_failed(&mut self) {
        self.is_listing = false;
    }
}

/// Is called when a watch has begun. Returns whether the watch confirms what was read before it; if not, everything is
/// listed again.
pub(super) type ConfirmWatch = Arc<dyn Fn() -> bool + Send + Sync>;

/// Confirms `backend` in `live` in part.
pub(super) fn confirm_watch(live: &Arc<LiveRules>, backend: Backend) -> ConfirmWatch {
    let live = Arc::clone(live);
    Arc::new(move || live.confirmations().confirm_in_part(backend))
}

/// `client`, which notifies `answered` of each success, and `confirm` of each watch that has begun. The watcher does not
/// tell when a watch has begun: without this, trouble would last until something happens to an object. A watch that has
/// seen more than the API server has, or that goes on from what is stale, is answered as one that has seen too little.
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
                .map_err(|_| kube::Error::Service("it does not begin to answer".into()))??;
            if response.status().is_success() {
                answered.notify_one();
                if is_watch && !confirm() {
                    let why = "what the watch goes on from was last confirmed longer ago than `server.maxStaleness`";
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
