//! Which replica writes: the one that holds a Lease, as Kubernetes' own controllers choose theirs.
//!
//! Clocks of replicas may differ, so no time that another wrote is compared with the own clock. A lease has run out when
//! it has not changed for its duration, as this process's monotonic clock measures it; and whoever holds it stops
//! writing well before that when it cannot renew.

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

/// The Lease's name.
const LEASE_NAME: &str = "ack-ram-authenticator";
/// How long a lease lasts that nobody renews.
const DURATION_SECONDS: i32 = 15;
/// How long after the last renewal its holder still writes.
const RENEWED_WITHIN: Duration = Duration::from_secs(10);
/// How often its holder renews it.
const RENEW_EVERY: Duration = Duration::from_secs(4);
/// How long giving it back may take.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// Takes part in the election of the replica that writes.
pub(super) struct Election {
    leases: Api<Lease>,
    namespace: String,
    identity: String,
    clock: Clock,
    observed: Option<ObservedLease>,
    /// When the renewal began that last succeeded.
    renewed: Option<Instant>,
    last_error: Option<String>,
}

/// The lease as it was last seen.
#[derive(Clone, Debug)]
struct ObservedLease {
    lease: Lease,
    /// Since when it has been so, by the own clock.
    since: Instant,
}

/// The next step about the lease.
#[derive(Debug, PartialEq)]
enum LeaseStep {
    /// Nobody has ever held it.
    Create,
    /// Write it with oneself as the holder.
    Take,
    /// It is one's own.
    Renew,
    /// Another holds it.
    Wait,
}

impl Election {
    /// For the Lease of this program in `namespace`. `identity` is this replica's alone.
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

    /// Tells in `leading` whether this replica is the one, until `stop` is true or its sender is gone; then gives the
    /// lease back.
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
            // Without this the next one takes over when the lease has run out.
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
            // Whoever leads must know in time that it could not renew.
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
                // The resource version in it makes this fail when somebody else was faster.
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
                "{}; until this is granted, this replica writes no status: apply the Role `ack-ram-authenticator` of deploy/ in the namespace `{namespace}`",
                status.message
            ),
            error => format!("{}; trying again", error_chain(error)),
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

/// Trying again soon would not help: the right is missing, or the namespace.
fn is_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 401 | 403 | 404))
}

fn microtime(now: UnixTime) -> MicroTime {
    MicroTime(Timestamp::from_second(now.seconds()).unwrap_or_default())
}

#[cfg(test)]
mod tests;
