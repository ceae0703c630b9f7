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
                } else if let Some(write) = self.look(&name) {
                    busy.insert(name);
                    under_way.push(self.write(&objects, events, write));
                }
            }
            let is_full = under_way.len() >= AT_ONCE;
            let (name, outcome) = tokio::select! {
                Some(done) = under_way.next() => done,
                () = self.due.added(), if paused.is_none() && !is_full => continue,
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
    fn look(&self, name: &Arc<str>) -> Option<Write> {
        let objects = self.objects();
        let known = objects.get(name)?;
        let reports = self.live.inspect(|rules, notes| {
            (rules.backend() == Backend::Crd).then(|| Report::new(name, known, rules, notes))
        });
        let report = reports.into_iter().flatten().next()?;
        let before = known.reported;
        let after = report.reported(known.generation, &before, (self.clock)());
        (!after.agrees_with(&before)).then(|| Write {
            name: Arc::clone(name),
            uid: known.uid().to_owned(),
            report,
            before,
            after,
        })
    }

    async fn write(
        &self,
        objects: &Api<MappingObject>,
        events: &Events,
        write: Write,
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
        self.objects().note_written(&object);
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
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn failures_are_told_by_what_has_to_be_done() {
        let seconds = Duration::from_secs;
        let old =
            "failed to create typed patch object: .status.conditions: field not declared in schema";
        for (code, message, wanted, expected) in [
            (404, "gone", 0, "dropped"),
            (409, "another uid", 0, "changed"),
            (422, "invalid", 0, "dropped"),
            (
                429,
                "too many requests",
                3,
                "failed, 3s, the API server answered 429: too many requests",
            ),
            (
                500,
                "no leader",
                0,
                "failed, 0ns, the API server answered 500: no leader",
            ),
            (
                403,
                "not allowed",
                0,
                "failed, 10s, not allowed; bind the ClusterRole `ack-ram-authenticator` of deploy/ to this program",
            ),
            (
                500,
                old,
                0,
                "failed, 10s, the CustomResourceDefinition is older than this program: apply deploy/ramidentitymapping.yaml, or start with --install-crd (failed to create typed patch object: .status.conditions: field not declared in schema)",
            ),
        ] {
            let details = kube::core::response::StatusDetails {
                retry_after_seconds: wanted,
                ..serde_json::from_str("{}").unwrap()
            };
            let status = Status::failure(message, "Reason")
                .with_code(code)
                .with_details(details);
            let got = match Outcome::of("x", &kube::Error::Api(status.boxed())) {
                Outcome::Written => "written".to_owned(),
                Outcome::Dropped => "dropped".to_owned(),
                Outcome::Changed => "changed".to_owned(),
                Outcome::Failed { error, pause, .. } => {
                    format!("failed, {:?}, {error}", pause.unwrap_or(seconds(999)))
                }
            };
            assert_eq!(got, expected, "{code}");
        }
    }
}
