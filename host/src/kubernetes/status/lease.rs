//! Leader election with a Lease, as in the controllers of Kubernetes. Only the leader writes the status of objects.
//!
//! The clocks of replicas may differ, so a replica does not compare times of other replicas with its own clock. A lease
//! has expired if it has not changed for its duration, as measured by the monotonic clock of this process. A leader
//! that cannot renew its lease stops writing well before the lease expires.

use std::time::Duration;

use ack_ram_core::time::UnixTime;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use crate::backoff::BackoffPolicy;
use crate::clock::Clock;
use crate::kubernetes::failure::error_chain;

/// The name of the Lease.
const LEASE_NAME: &str = "ack-ram-authenticator";
/// The duration of a lease that is not renewed.
const DURATION_SECONDS: i32 = 15;
/// The time after the last renewal in which the leader still writes.
const RENEWED_WITHIN: Duration = Duration::from_secs(10);
/// The interval between renewals.
const RENEW_EVERY: Duration = Duration::from_secs(4);
/// The timeout for releasing the lease.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// A participant in the election of the leader.
pub(super) struct Election {
    leases: Api<Lease>,
    namespace: String,
    identity: String,
    clock: Clock,
    observed: Option<ObservedLease>,
    /// The start of the last successful renewal.
    renewed: Option<Instant>,
    last_error: Option<String>,
}

/// The lease at the last observation.
#[derive(Clone, Debug)]
struct ObservedLease {
    lease: Lease,
    /// When this version of the lease was first observed, by the clock of this process.
    since: Instant,
}

/// The next step of a participant.
#[derive(Debug, PartialEq)]
enum LeaseStep {
    /// Create the lease, which does not exist.
    Create,
    /// Take the lease, which is free or has expired.
    Take,
    /// Renew the lease, which this replica holds.
    Renew,
    /// Wait, because another replica holds the lease.
    Wait,
}

impl Election {
    /// Creates a participant with the unique `identity`, for the Lease in `namespace`.
    #[must_use]
    pub(super) fn new(client: Client, namespace: &str, identity: String, clock: Clock) -> Self {
        Self {
            leases: Api::namespaced(client, namespace),
            namespace: namespace.to_owned(),
            identity,
            clock,
            observed: None,
            renewed: None,
            last_error: None,
        }
    }

    /// Sends in `leading` whether this replica is the leader, until `stop` is true or its sender is dropped. Then
    /// releases the lease.
    pub(super) async fn run(
        mut self,
        leading: watch::Sender<bool>,
        mut stop: watch::Receiver<bool>,
    ) {
        tokio::select! {
            () = self.campaign(&leading) => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
        let was_leading = leading.send_replace(false);
        if was_leading {
            // If the release fails, the next leader takes over after the lease has expired.
            let _ = timeout(RELEASE_TIMEOUT, self.release()).await;
        }
    }

    async fn campaign(&mut self, leading: &watch::Sender<bool>) {
        let mut retry = BackoffPolicy::ACQUIRE_LEASE.start();
        let mut refused = BackoffPolicy::REFUSED_LEASE.start();
        loop {
            let started = Instant::now();
            self.renewed = self
                .renewed
                .filter(|renewed| started < *renewed + RENEWED_WITHIN);
            // A leader must detect in time that it could not renew the lease.
            let deadline = self.renewed.unwrap_or(started) + RENEWED_WITHIN;
            let tried = timeout_at(deadline, self.try_acquire()).await;
            let pause = match tried {
                Ok(Ok(true)) => {
                    self.renewed = Some(started);
                    self.last_error = None;
                    RENEW_EVERY
                }
                Ok(Ok(false)) => {
                    self.renewed = None;
                    self.last_error = None;
                    retry.next_pause()
                }
                Ok(Err(error)) => {
                    self.log_error(&error);
                    if is_refusal(&error) {
                        refused.next_pause()
                    } else {
                        retry.next_pause()
                    }
                }
                Err(_) => retry.next_pause(),
            };
            let until = self.renewed.map(|renewed| renewed + RENEWED_WITHIN);
            let leads = until.is_some_and(|until| Instant::now() < until);
            announce(leading, leads);
            let wake = Instant::now() + pause;
            match until {
                Some(until) if leads && until < wake => {
                    tokio::time::sleep_until(until).await;
                    announce(leading, false);
                    tokio::time::sleep_until(wake).await;
                }
                _ => tokio::time::sleep_until(wake).await,
            }
        }
    }

    /// Tries to acquire or renew the lease. Returns whether this replica holds it now.
    async fn try_acquire(&mut self) -> kube::Result<bool> {
        self.observe(self.leases.get_opt(LEASE_NAME).await?);
        let written = match next_step(self.observed.as_ref(), &self.identity, Instant::now()) {
            LeaseStep::Wait => return Ok(false),
            LeaseStep::Create => {
                let lease = self.lease_to_write(None);
                self.leases.create(&PostParams::default(), &lease).await
            }
            LeaseStep::Take | LeaseStep::Renew => {
                let lease =
                    self.lease_to_write(self.observed.as_ref().map(|observed| &observed.lease));
                // The resource version makes this request fail if another replica was faster.
                self.leases
                    .replace(LEASE_NAME, &PostParams::default(), &lease)
                    .await
            }
        };
        match written {
            Ok(lease) => {
                self.observe(Some(lease));
                Ok(true)
            }
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn observe(&mut self, lease: Option<Lease>) {
        let version = |lease: &Lease| lease.metadata.resource_version.clone();
        let is_same = match (&self.observed, &lease) {
            (Some(observed), Some(lease)) => {
                observed.lease.metadata.uid == lease.metadata.uid
                    && version(&observed.lease) == version(lease)
            }
            _ => false,
        };
        if !is_same {
            let since = Instant::now();
            self.observed = lease.map(|lease| ObservedLease { lease, since });
        }
    }

    /// Returns the lease to write over `old`, held by this replica.
    fn lease_to_write(&self, old: Option<&Lease>) -> Lease {
        let now = microtime((self.clock)());
        let mut lease = old.cloned().unwrap_or_else(|| Lease {
            metadata: ObjectMeta {
                name: Some(LEASE_NAME.to_owned()),
                ..ObjectMeta::default()
            },
            ..Lease::default()
        });
        lease.metadata.managed_fields = None;
        let spec = lease.spec.get_or_insert_with(LeaseSpec::default);
        if spec.holder_identity.as_ref() != Some(&self.identity) {
            let transitions = spec.lease_transitions.map_or(0, |n| n.saturating_add(1));
            spec.lease_transitions = Some(transitions);
            spec.acquire_time = Some(now.clone());
            spec.holder_identity = Some(self.identity.clone());
        }
        spec.lease_duration_seconds = Some(DURATION_SECONDS);
        spec.renew_time = Some(now);
        lease
    }

    async fn release(&self) -> kube::Result<()> {
        let Some(lease) = self.leases.get_opt(LEASE_NAME).await? else {
            return Ok(());
        };
        let holder = lease
            .spec
            .as_ref()
            .and_then(|spec| spec.holder_identity.as_ref());
        if holder != Some(&self.identity) {
            return Ok(());
        }
        let mut lease = self.lease_to_write(Some(&lease));
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
        }
        self.leases
            .replace(LEASE_NAME, &PostParams::default(), &lease)
            .await
            .map(drop)
    }

    /// Logs `error`, unless it was the last one logged.
    fn log_error(&mut self, error: &kube::Error) {
        let namespace = &self.namespace;
        let text = match error {
            kube::Error::Api(status) if is_refusal(error) => format!(
                "{}; meanwhile, this replica does not write the status of mappings; apply the Role `ack-ram-authenticator` in deploy/example.yaml in the namespace `{namespace}`",
                status.message
            ),
            error => format!("{}; retrying", error_chain(error)),
        };
        if self.last_error.as_ref() != Some(&text) {
            tracing::warn!("cannot use the Lease {namespace}/{LEASE_NAME}: {text}");
            self.last_error = Some(text);
        }
    }
}

fn announce(leading: &watch::Sender<bool>, leads: bool) {
    let has_changed = leading.send_if_modified(|leading| {
        let has_changed = *leading != leads;
        *leading = leads;
        has_changed
    });
    if has_changed && leads {
        tracing::info!("this replica writes the status of mappings");
    } else if has_changed {
        tracing::info!("this replica no longer writes the status of mappings");
    }
}

fn next_step(observed: Option<&ObservedLease>, identity: &str, now: Instant) -> LeaseStep {
    let Some(ObservedLease { lease, since }) = observed else {
        return LeaseStep::Create;
    };
    let spec = lease.spec.as_ref();
    let holder = spec.and_then(|spec| spec.holder_identity.as_deref());
    let holder = holder.unwrap_or_default();
    if holder == identity {
        return LeaseStep::Renew;
    }
    let seconds = spec.and_then(|spec| spec.lease_duration_seconds);
    let seconds = seconds.filter(|seconds| *seconds > 0);
    let seconds = u64::try_from(seconds.unwrap_or(DURATION_SECONDS)).unwrap_or_default();
    let has_run_out = now.saturating_duration_since(*since) >= Duration::from_secs(seconds);
    if holder.is_empty() || has_run_out {
        LeaseStep::Take
    } else {
        LeaseStep::Wait
    }
}

/// Returns whether `error` cannot be solved by an early retry: the permission or the namespace is missing.
fn is_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 401 | 403 | 404))
}

fn microtime(now: UnixTime) -> MicroTime {
    MicroTime(Timestamp::from_second(now.seconds()).unwrap_or_default())
}

#[cfg(test)]
mod tests;
