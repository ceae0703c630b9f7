//! The watch: the asynchronous half, which reads objects from the API server for as long as the server runs.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use futures_util::{FutureExt as _, Stream, StreamExt as _};
use hyper::Request;
use kube::client::Body;
use kube::runtime::watcher::{self, Error, Event};
use kube::{Api, Client};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::failure::{self, Failure};
use super::history;
use super::mappings::{Mappings, Observation};
use super::object::MappingObject;

/// How many objects the API server is asked for at once.
const PAGE: u32 = 500;
/// After this long the API server ends a watch, which is resumed. A connection that is dead without a word is noticed
/// a few seconds later: until then somebody's mapping may be gone and still answer.
pub(super) const WATCH_SECONDS: u32 = 60;
/// How many events are put in effect together.
const BATCH: usize = 512;
/// How long the API server may take to begin an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// A watch that worked for this long is resumed as soon as if it were the first.
pub(super) const WORKED: Duration = Duration::from_millis(500);
/// How soon to try again at first, and at most; jitter comes on top, at most as much again.
pub(super) const RETRY: (Duration, Duration) =
    (Duration::from_millis(100), Duration::from_millis(2_500));

type Events = Pin<Box<dyn Stream<Item = Result<Event<MappingObject>, Error>> + Send>>;

impl Mappings {
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
        let objects = Api::all(noticing(client, Arc::clone(&answered)));
        let mut events = open(&objects);
        let mut retry = retry();
        let mut works_since = None;
        loop {
            let event = tokio::select! {
                event = events.next() => event,
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
            let Err(error) = self.read(event, &mut events) else {
                continue;
            };
            // It was answered before it failed, and says nothing of what comes after.
            if answered.notified().now_or_never().is_some() {
                works_since = Some(Instant::now());
                self.objects().recover(&self.live);
            }
            if works_since
                .take()
                .is_some_and(|since: Instant| since.elapsed() >= WORKED)
            {
                retry = self::retry();
            }
            (self.observe)(Observation::WatchFailed);
            match Failure::of(&error) {
                Some(failure) => {
                    let at = Instant::now().into_std();
                    self.objects().fail(&failure, &self.live, at);
                }
                None => tracing::debug!("the watch ended: {error}"),
            }
            if is_too_old(&error) {
                events = open(&objects);
            }
            let pause = retry.next().unwrap_or(RETRY.1);
            let wanted = failure::wanted_pause(&error).unwrap_or_default();
            tokio::time::sleep(pause.max(wanted)).await;
        }
    }

    /// Takes in `first` and what else has already arrived.
    fn read(
        &self,
        first: Result<Event<MappingObject>, Error>,
        rest: &mut Events,
    ) -> Result<(), Error> {
        let started = Instant::now();
        let mut batch = Vec::new();
        let mut next = Some(first);
        let mut end = Ok(());
        while let Some(event) = next {
            match event {
                Ok(event) => batch.push(event),
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
        let touched = self.objects().read(batch, &self.live, (self.clock)());
        if events > 0 {
            let after = started.elapsed();
            (self.observe)(Observation::InEffect { events, after });
        }
        self.due.add(touched);
        end
    }
}

fn open(objects: &Api<MappingObject>) -> Events {
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
    let (first, last) = RETRY;
    ExponentialBuilder::default()
        .with_min_delay(first)
        .with_max_delay(last)
        .with_jitter()
        .without_max_times()
        .build()
}

/// `client`, which notifies `answered` of each success. The watcher does not tell when a watch has begun: without this,
/// trouble would last until something happens to an object. A watch that has seen more than the API server has is
/// answered as one that has seen too little.
pub(super) fn noticing(client: Client, answered: Arc<Notify>) -> Client {
    let namespace = client.default_namespace().to_owned();
    let send = move |request: Request<Body>| {
        let client = client.clone();
        let answered = Arc::clone(&answered);
        async move {
            let send = async {
                history::check(&client, request.uri()).await?;
                client.send(request).await
            };
            let response = tokio::time::timeout(ANSWER_WITHIN, send)
                .await
                .map_err(|_| kube::Error::Service("it does not begin to answer".into()))??;
            if response.status().is_success() {
                answered.notify_one();
            }
            Ok::<_, kube::Error>(response)
        }
    };
    Client::new(tower::service_fn(send), namespace)
}

#[cfg(test)]
mod tests;
