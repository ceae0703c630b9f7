//! The writer of statuses: whoever edits an object is told there what became of it.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use ack_ram_core::rules::Backend;
use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use super::events::{self, Events, News};
use super::failure::{causes, retry_after};
use super::install::FIELD_MANAGER;
use super::lease::Election;
use super::mappings::{Mappings, Observation};
use super::object::MappingObject;
use super::objects::Touched;
use super::report::Report;
use super::reported::Reported;

/// How many requests are under way at once; how fast they are answered is the API server's choice.
const AT_ONCE: usize = 16;
/// How long one may take.
const WRITTEN_WITHIN: Duration = Duration::from_secs(30);
/// How soon to go on after a failure at first, and at most; jitter comes on top, at most as much again.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// How soon to go on when the right to write is missing.
const RETRY_REFUSED: Duration = Duration::from_secs(10);
/// How soon to look again at an object that has changed meanwhile.
const RETRY_CHANGED: Duration = Duration::from_secs(1);
/// How soon to write again what somebody else has undone: another program that writes statuses, as Go's server does, would
/// be answered as fast as the API server goes, for ever.
const INSIST_EVERY: Duration = Duration::from_secs(10);
/// What kube-apiserver says, with 500, of a field that the definition lacks (structured-merge-diff, `typed`).
const UNKNOWN_FIELD: &str = "field not declared in schema";
/// After looking at so many objects, others have their turn.
const LOOKS: u32 = 64;

/// Who writes.
#[derive(Clone, Debug)]
pub struct Replica {
    /// Where the Lease is.
    pub namespace: String,
    /// Which replica this is; no other has the same.
    pub identity: String,
}

impl Replica {
    /// This process, with its Lease in `namespace`.
    #[must_use]
    pub fn of_this_process(namespace: String) -> Self {
        let host = nix::unistd::gethostname().unwrap_or_default();
        // Seeded by the system: a replica that starts again on the same host is another one.
        let suffix = RandomState::new().build_hasher().finish();
        Self {
            namespace,
            identity: format!("{}-{suffix:016x}", host.to_string_lossy()),
        }
    }
}

/// One status to be written.
struct Write {
    name: Arc<str>,
    uid: String,
    report: Report,
    before: Reported,
    after: Reported,
}

/// What is to be done about the status of an object.
enum Look {
    Nothing,
    Write(Box<Write>),
    /// Look again then.
    Later(Instant),
}

/// What became of it.
enum Outcome {
    Written,
    /// The object is gone, or its status cannot be written as it is.
    Dropped,
    /// Somebody was faster; a new look is due.
    Changed,
    /// The API server does not take any now.
    Failed {
        /// The HTTP status; 0 when there was no answer.
        code: u16,
        error: String,
        pause: Option<Duration>,
    },
}

impl Mappings {
    /// Writes statuses whenever `replica` is the elected one, until `stop` is true or its sender is gone.
    pub async fn write_status(
        &self,
        client: Client,
        replica: Replica,
        stop: watch::Receiver<bool>,
    ) {
        let Replica {
            namespace,
            identity,
        } = replica;
        let events = Events::new(client.clone(), &identity);
        let election = Election::new(client.clone(), &namespace, identity, self.clock);
        let (leading, mut leads) = watch::channel(false);
        let write = async {
            // The channel closes when the election ends.
            while leads.wait_for(|leads| *leads).await.is_ok() {
                (self.observe)(Observation::Leading(true));
                self.due.open(self.objects().names());
                tokio::select! {
                    () = self.write_what_is_due(&client, &events) => {}
                    _ = leads.wait_for(|leads| !*leads) => {}
                }
                self.due.close();
                (self.observe)(Observation::Leading(false));
            }
        };
        tokio::join!(election.run(leading, stop), write);
    }

    async fn write_what_is_due(&self, client: &Client, events: &Events) {
        let objects = Api::all(client.clone());
        let mut under_way = FuturesUnordered::new();
        let mut busy = Touched::new();
        let mut again = Touched::new();
        let mut later = FuturesUnordered::new();
        let mut postponed = Touched::new();
        let mut retry = retry();
        let mut told = None;
        let mut paused: Option<Instant> = None;
        let mut looks: u32 = 0;
        loop {
            while paused.is_none() && under_way.len() < AT_ONCE {
                let Some(name) = self.due.pop() else { break };
                looks = looks.wrapping_add(1);
                if looks.is_multiple_of(LOOKS) {
                    tokio::task::yield_now().await;
                }
                if busy.contains(&name) {
                    again.insert(name);
                    continue;
                }
                match self.look(&name) {
                    Look::Nothing => {}
                    Look::Write(write) => {
                        busy.insert(name);
                        under_way.push(self.write(&objects, events, write));
                    }
                    Look::Later(at) => {
                        if postponed.insert(Arc::clone(&name)) {
                            later.push(async move {
                                tokio::time::sleep_until(at).await;
                                name
                            });
                        }
                    }
                }
            }
            let is_full = under_way.len() >= AT_ONCE;
            let (name, outcome) = tokio::select! {
                Some(done) = under_way.next() => done,
                () = self.due.added(), if paused.is_none() && !is_full => continue,
                Some(name) = later.next() => {
                    postponed.remove(&name);
                    self.due.add([name]);
                    continue;
                }
                () = at(paused), if paused.is_some() => {
                    paused = None;
                    continue;
                }
            };
            busy.remove(&name);
            if again.remove(&name) {
                self.due.add([Arc::clone(&name)]);
            }
            match outcome {
                Outcome::Written => {
                    (self.observe)(Observation::StatusWritten);
                    retry = self::retry();
                    told = None;
                }
                Outcome::Dropped => {}
                Outcome::Changed => self.due.add([name]),
                Outcome::Failed { code, error, pause } => {
                    (self.observe)(Observation::StatusFailed);
                    self.due.add([name]);
                    // The same may be wrong with thousands of objects.
                    if told.replace(code) != Some(code) {
                        tracing::warn!("no status is written: {error}; trying again");
                    }
                    if paused.is_none() {
                        let backed_off = retry.next().unwrap_or(RETRY.1);
                        let pause = pause.unwrap_or_default().max(backed_off);
                        paused = Some(Instant::now() + pause);
                    }
                }
            }
        }
    }

    /// What has to be written about the object `name`, if anything.
    fn look(&self, name: &Arc<str>) -> Look {
        let objects = self.objects();
        let Some(known) = objects.get(name) else {
            return Look::Nothing;
        };
        let reports = self.live.inspect(|rules, notes| {
            (rules.backend() == Backend::Crd).then(|| Report::new(name, known, rules, notes))
        });
        let Some(report) = reports.into_iter().flatten().next() else {
            return Look::Nothing;
        };
        let before = known.reported;
        let after = report.reported(known.generation, &before, (self.clock)());
        if after.agrees_with(&before) {
            return Look::Nothing;
        }
        if let Some((at, what)) = known.written
            && what == after.fingerprint()
        {
            let at = Instant::from_std(at) + INSIST_EVERY;
            if at > Instant::now() {
                return Look::Later(at);
            }
        }
        Look::Write(Box::new(Write {
            name: Arc::clone(name),
            uid: known.uid().to_owned(),
            report,
            before,
            after,
        }))
    }

    async fn write(
        &self,
        objects: &Api<MappingObject>,
        events: &Events,
        write: Box<Write>,
    ) -> (Arc<str>, Outcome) {
        let name = Arc::clone(&write.name);
        let outcome = match tokio::time::timeout(WRITTEN_WITHIN, self.send(objects, &write)).await {
            Ok(Ok(())) => {
                let news = News::new(&write.report, &write.before, &write.after);
                let about = events::mapping(&name, &write.uid);
                events.tell(&about, news, (self.clock)()).await;
                Outcome::Written
            }
            Ok(Err(error)) => {
                let outcome = Outcome::of(&name, &error);
                if matches!(outcome, Outcome::Changed) {
                    tokio::time::sleep(RETRY_CHANGED).await;
                }
                outcome
            }
            Err(_) => Outcome::Failed {
                code: 0,
                error: format!("the API server did not answer within {WRITTEN_WITHIN:?}"),
                pause: None,
            },
        };
        (name, outcome)
    }

    async fn send(&self, objects: &Api<MappingObject>, write: &Write) -> kube::Result<()> {
        let Write {
            name, uid, report, ..
        } = write;
        let apply = report.patch(name, uid, &write.after);
        let force = PatchParams::apply(FIELD_MANAGER).force();
        let mut object = patch(objects, name, &force, &Patch::Apply(apply)).await?;
        let written = Reported::read(object.status());
        if let Some(removal) = report.removal(uid, &written) {
            let params = PatchParams {
                field_manager: Some(FIELD_MANAGER.to_owned()),
                ..PatchParams::default()
            };
            object = patch(objects, name, &params, &Patch::Merge(removal)).await?;
        }
        let at = Instant::now().into_std();
        self.objects().note_written(&object, at);
        Ok(())
    }
}

async fn patch(
    objects: &Api<MappingObject>,
    name: &str,
    params: &PatchParams,
    patch: &Patch<Value>,
) -> kube::Result<MappingObject> {
    objects.patch_status(name, params, patch).await
}

impl Outcome {
    fn of(name: &str, error: &kube::Error) -> Self {
        let kube::Error::Api(status) = error else {
            return Self::Failed {
                code: 0,
                error: causes(error),
                pause: None,
            };
        };
        let message = &status.message;
        match status.code {
            404 => Self::Dropped,
            409 => Self::Changed,
            400 | 413 | 422 => {
                tracing::warn!(object = name, "its status is not written: {message}");
                Self::Dropped
            }
            code @ (401 | 403) => Self::Failed {
                code,
                error: format!(
                    "{message}; bind the ClusterRole `ack-ram-authenticator` of deploy/ to this program"
                ),
                pause: Some(RETRY_REFUSED),
            },
            code if message.contains(UNKNOWN_FIELD) => Self::Failed {
                code,
                error: format!(
                    "the CustomResourceDefinition is older than this program: apply deploy/ramidentitymapping.yaml, or start with --install-crd ({message})"
                ),
                pause: Some(RETRY_REFUSED),
            },
            code => Self::Failed {
                code,
                error: format!("the API server answered {code}: {message}"),
                pause: retry_after(error),
            },
        }
    }
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn retry() -> ExponentialBackoff {
    let (first, last) = RETRY;
    ExponentialBuilder::default()
        .with_min_delay(first)
        .with_max_delay(last)
        .with_jitter()
        .without_max_times()
        .build()
}

#[cfg(test)]
mod tests;
