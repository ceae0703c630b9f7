//! The status writer: writes the result of each edit to the status of the object, for the author of the edit.

mod outcome;

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use ack_ram_core::rules::Backend;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::backoff::BackoffPolicy;
use crate::kubernetes::crd::install::FIELD_MANAGER;
use crate::kubernetes::crd::object::MappingObject;
use crate::kubernetes::mapping_controller::{MappingController, Observation};
use crate::kubernetes::status::desired::DesiredStatus;
use crate::kubernetes::status::events::{self, EventRecord, EventRecorder};
use crate::kubernetes::status::lease::Election;
use crate::kubernetes::status::observed::ObservedStatus;
use crate::kubernetes::status::writer::outcome::WriteOutcome;
use crate::kubernetes::watch::objects::TouchedNames;

/// The maximum number of in-flight requests.
const MAX_CONCURRENT_WRITES: usize = 16;
/// The timeout of a write.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause before the next check of an object that changed during a write.
const RETRY_CHANGED: Duration = Duration::from_secs(1);
/// The minimum interval between two writes of the same status. Another program that also writes statuses, such as the
/// Go server, would otherwise cause an endless sequence of writes at full speed.
const REWRITE_INTERVAL: Duration = Duration::from_secs(10);
/// The number of checks after which the task yields to other tasks.
const CHECKS_BEFORE_YIELD: u32 = 64;

/// A replica of the server that takes part in the leader election.
#[derive(Clone, Debug)]
pub struct Replica {
    /// The namespace of the Lease.
    pub namespace: String,
    /// The unique name of the replica.
    pub identity: String,
}

impl Replica {
    /// Returns the replica of this process, with its Lease in `namespace`.
    #[must_use]
    pub fn for_this_process(namespace: String) -> Self {
        let host = nix::unistd::gethostname().unwrap_or_default();
        // The system seeds this hasher, so a restart on the same host gives another identity.
        let suffix = RandomState::new().build_hasher().finish();
        Self {
            namespace,
            identity: format!("{}-{suffix:016x}", host.to_string_lossy()),
        }
    }
}

/// A status to be written.
struct StatusWrite {
    name: Arc<str>,
    uid: String,
    desired_status: DesiredStatus,
    before: ObservedStatus,
    after: ObservedStatus,
}

/// The result of checking the status of an object.
enum StatusCheck {
    Nothing,
    Write(Box<StatusWrite>),
    /// Check again at this time.
    Later(Instant),
}

impl MappingController {
    /// Writes the status of objects while `replica` is the leader, until `stop` is true or its sender is dropped.
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
        let events = EventRecorder::new(client.clone(), &identity);
        let election = Election::new(client.clone(), &namespace, identity, self.clock);
        let (leading, mut leads) = watch::channel(false);
        let write = async {
            // The channel closes when the election ends.
            while leads.wait_for(|leads| *leads).await.is_ok() {
                (self.observe)(Observation::Leading(true));
                self.status_queue.open(self.objects().names());
                tokio::select! {
                    () = self.write_queued(&client, &events) => {}
                    _ = leads.wait_for(|leads| !*leads) => {}
                }
                self.status_queue.close();
                (self.observe)(Observation::Leading(false));
            }
        };
        tokio::join!(election.run(leading, stop), write);
    }

    async fn write_queued(&self, client: &Client, events: &EventRecorder) {
        let objects = Api::all(client.clone());
        let mut in_flight = FuturesUnordered::new();
        let mut writing = TouchedNames::new();
        let mut again = TouchedNames::new();
        let mut later = FuturesUnordered::new();
        let mut postponed = TouchedNames::new();
        let mut retry = BackoffPolicy::WRITE_STATUS.start();
        let mut last_code = None;
        let mut paused: Option<Instant> = None;
        let mut checks: u32 = 0;
        loop {
            while paused.is_none() && in_flight.len() < MAX_CONCURRENT_WRITES {
                let Some(name) = self.status_queue.pop() else {
                    break;
                };
                checks = checks.wrapping_add(1);
                if checks.is_multiple_of(CHECKS_BEFORE_YIELD) {
                    tokio::task::yield_now().await;
                }
                if writing.contains(&name) {
                    again.insert(name);
                    continue;
                }
                match self.check_status(&name) {
                    StatusCheck::Nothing => {}
                    StatusCheck::Write(write) => {
                        writing.insert(name);
                        in_flight.push(self.write(&objects, events, write));
                    }
                    StatusCheck::Later(at) => {
                        if postponed.insert(Arc::clone(&name)) {
                            later.push(async move {
                                tokio::time::sleep_until(at).await;
                                name
                            });
                        }
                    }
                }
            }
            let is_full = in_flight.len() >= MAX_CONCURRENT_WRITES;
            let (name, outcome) = tokio::select! {
                Some(done) = in_flight.next() => done,
                () = self.status_queue.wait_until_added(), if paused.is_none() && !is_full => continue,
                Some(name) = later.next() => {
                    postponed.remove(&name);
                    self.status_queue.add([name]);
                    continue;
                }
                () = at(paused), if paused.is_some() => {
                    paused = None;
                    continue;
                }
            };
            writing.remove(&name);
            if again.remove(&name) {
                self.status_queue.add([Arc::clone(&name)]);
            }
            match outcome {
                WriteOutcome::Written => {
                    (self.observe)(Observation::StatusWritten);
                    retry.reset();
                    last_code = None;
                }
                WriteOutcome::Dropped => {}
                WriteOutcome::Changed => self.status_queue.add([name]),
                WriteOutcome::Failed { code, error, pause } => {
                    (self.observe)(Observation::StatusFailed);
                    self.status_queue.add([name]);
                    // Log once, because the error may be the same for thousands of objects.
                    if last_code.replace(code) != Some(code) {
                        tracing::warn!("cannot write the status of mappings: {error}; retrying");
                    }
                    if paused.is_none() {
                        let backed_off = retry.next_pause();
                        let pause = pause.unwrap_or_default().max(backed_off);
                        paused = Some(Instant::now() + pause);
                    }
                }
            }
        }
    }

    /// Checks whether the status of the object `name` has to be written.
    fn check_status(&self, name: &Arc<str>) -> StatusCheck {
        let objects = self.objects();
        let Some(known) = objects.get(name) else {
            return StatusCheck::Nothing;
        };
        let reports = self.live.inspect(|rules, notes| {
            (rules.backend() == Backend::Crd).then(|| DesiredStatus::new(name, known, rules, notes))
        });
        let Some(desired_status) = reports.into_iter().flatten().next() else {
            return StatusCheck::Nothing;
        };
        let before = known.observed_status;
        let after = desired_status.to_observed(known.generation, &before, (self.clock)());
        if after.equals_ignoring_times(&before) {
            return StatusCheck::Nothing;
        }
        if let Some((at, what)) = known.written
            && what == after.fingerprint()
        {
            let at = Instant::from_std(at) + REWRITE_INTERVAL;
            if at > Instant::now() {
                return StatusCheck::Later(at);
            }
        }
        StatusCheck::Write(Box::new(StatusWrite {
            name: Arc::clone(name),
            uid: known.uid().to_owned(),
            desired_status,
            before,
            after,
        }))
    }

    async fn write(
        &self,
        objects: &Api<MappingObject>,
        events: &EventRecorder,
        write: Box<StatusWrite>,
    ) -> (Arc<str>, WriteOutcome) {
        let name = Arc::clone(&write.name);
        let outcome = match tokio::time::timeout(WRITE_TIMEOUT, self.send(objects, &write)).await {
            Ok(Ok(())) => {
                let records = EventRecord::new(&write.desired_status, &write.before, &write.after);
                let about = events::mapping(&name, &write.uid);
                events.publish(&about, records, (self.clock)()).await;
                WriteOutcome::Written
            }
            Ok(Err(error)) => {
                let outcome = WriteOutcome::from_error(&name, &error);
                if matches!(outcome, WriteOutcome::Changed) {
                    tokio::time::sleep(RETRY_CHANGED).await;
                }
                outcome
            }
            Err(_) => WriteOutcome::Failed {
                code: 0,
                error: format!("the API server did not answer within {WRITE_TIMEOUT:?}"),
                pause: None,
            },
        };
        (name, outcome)
    }

    async fn send(&self, objects: &Api<MappingObject>, write: &StatusWrite) -> kube::Result<()> {
        let StatusWrite {
            name,
            uid,
            desired_status,
            ..
        } = write;
        let apply = desired_status.patch(name, uid, &write.after);
        let force = PatchParams::apply(FIELD_MANAGER).force();
        let mut object = patch(objects, name, &force, &Patch::Apply(apply)).await?;
        let written = ObservedStatus::from_status(object.status());
        if let Some(removal) = desired_status.removal(uid, &written) {
            let params = PatchParams {
                field_manager: Some(FIELD_MANAGER.to_owned()),
                ..PatchParams::default()
            };
            object = patch(objects, name, &params, &Patch::Merge(removal)).await?;
        }
        let at = Instant::now().into_std();
        self.objects().record_written_status(&object, at);
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

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
