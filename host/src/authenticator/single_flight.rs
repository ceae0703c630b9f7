//! One call to STS for all equal tokens that arrive at the same time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use ack_ram_core::access_key::CredentialId;
use ack_ram_core::decision::Unavailable;
use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::login::{AwaitingSts, VerifiedIdentity};
use ack_ram_core::sts::{StsError, StsRefusal};
use ack_ram_core::time::UnixTime;
use fastrand::Rng;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use parking_lot::Mutex;
use tracing::Instrument as _;

use crate::authenticator::cache::{CachedOutcome, IdentityCache};
use crate::clock::Clock;
use crate::config::StsLimits;
use crate::metrics::StsMetrics;
use crate::sts::{
    self, Caller, FollowerGuard, FollowerRoom, Overloaded, Requester, RequesterSet, StsClient,
    StsResponse,
};

/// Makes one call to STS for all equal tokens that arrive at the same time.
pub(super) struct SingleFlight {
    sts: StsClient,
    cache: IdentityCache,
    /// In-flight calls, at most one for equal tokens. That matters most for tokens that can be used only once.
    pub(super) calls: Mutex<HashMap<Fingerprint, InFlightCall>>,
    /// Room for followers: logins that wait for the call of another login. The queue for STS limits the calls
    /// themselves.
    pub(super) followers: Arc<FollowerRoom>,
    clock: Clock,
}

/// An in-flight call, which completes even if no login waits for it any longer.
pub(super) struct InFlightCall {
    outcome: SharedOutcome,
    requesters: Arc<RequesterSet>,
}

pub(super) type SharedOutcome = Shared<BoxFuture<'static, StsOutcome>>;

/// The outcome of a call to STS about a token.
#[derive(Clone)]
pub(super) enum StsOutcome {
    Identity(Arc<VerifiedIdentity>, CredentialId),
    Refused(Arc<StsRefusal>),
    Unavailable {
        reason: Unavailable,
        cause: Option<String>,
    },
}

/// How a login takes part in a call to STS.
pub(super) enum JoinResult {
    Cached(CachedOutcome),
    Started(SharedOutcome),
    Shared(SharedOutcome, FollowerGuard),
}

impl SingleFlight {
    /// Builds a single flight for calls to `sts` whose answers are cached within `limits`.
    pub(super) fn new(
        sts: StsClient,
        limits: &StsLimits,
        metrics: &StsMetrics,
        clock: Clock,
    ) -> Self {
        Self {
            sts,
            cache: IdentityCache::new(limits.identities, limits.refusals, metrics),
            calls: Mutex::default(),
            followers: FollowerRoom::new(limits.max_sharing, Rng::new()),
            clock,
        }
    }

    /// Returns the cache of the answers of finished calls.
    pub(super) fn cache(&self) -> &IdentityCache {
        &self.cache
    }

    /// Returns the current time by the clock that logins use.
    pub(super) fn now(&self) -> UnixTime {
        (self.clock)()
    }

    /// Starts a call to STS, unless a call for an equal token is in flight or has just finished.
    pub(super) fn join(
        self: &Arc<Self>,
        awaiting: AwaitingSts,
        requester: Requester,
        caller: Caller,
    ) -> JoinResult {
        let fingerprint = awaiting.fingerprint();
        let mut calls = self.calls.lock();
        let vacant = match calls.entry(fingerprint) {
            Entry::Occupied(call) => return self.follow(call.get(), requester, caller),
            Entry::Vacant(vacant) => vacant,
        };
        // A call caches its answer before it leaves this map, so a call that finished since the first lookup is found
        // here.
        if let Some(known) = self.cache.look_up(fingerprint, self.now()) {
            return JoinResult::Cached(known);
        }
        let single_flight = Arc::clone(self);
        let requesters = Arc::new(RequesterSet::new(requester));
        let for_call = Arc::clone(&requesters);
        // The call runs in its own task: followers get their answer even if the first login is dropped.
        let call = tracing::debug_span!(target: sts::TARGET, "sts_call", reference = %fingerprint);
        let call = async move {
            let _in_flight = InFlightGuard {
                single_flight: &single_flight,
                fingerprint,
            };
            single_flight.call_sts(awaiting, &for_call, caller).await
        }
        .instrument(call);
        let outcome = tokio::spawn(call)
            .map(|ended| ended.unwrap_or_else(|_| StsOutcome::unavailable(Unavailable::Internal)))
            .boxed()
            .shared();
        vacant.insert(InFlightCall {
            outcome: outcome.clone(),
            requesters,
        });
        JoinResult::Started(outcome)
    }

    /// Joins `call` as a follower. If room is scarce, this or another follower is dropped.
    fn follow(&self, call: &InFlightCall, requester: Requester, caller: Caller) -> JoinResult {
        call.requesters.join(requester);
        JoinResult::Shared(
            call.outcome.clone(),
            self.followers.add_follower(requester, caller),
        )
    }

    async fn call_sts(
        &self,
        awaiting: AwaitingSts,
        requesters: &RequesterSet,
        caller: Caller,
    ) -> StsOutcome {
        let fingerprint = awaiting.fingerprint();
        let expires = awaiting.expires();
        let is_single_use = !awaiting.request().may_be_resent();
        let answer = match self.sts.call(requesters, caller, awaiting.request()).await {
            Ok(answer) => answer,
            Err(Overloaded) => return StsOutcome::unavailable(Unavailable::Overloaded),
        };
        let now = self.now();
        match awaiting.resume(answer.as_reply(), now) {
            Ok(identity) => {
                let identity = Arc::new(identity);
                self.cache
                    .insert_identity(&identity, caller, is_single_use, now);
                StsOutcome::Identity(identity, caller.credential)
            }
            Err(StsError::Refused(refusal)) => {
                let refusal = Arc::new(refusal);
                self.cache
                    .insert_refusal(fingerprint, &refusal, expires, now);
                StsOutcome::Refused(refusal)
            }
            Err(StsError::Unavailable(error)) => StsOutcome::Unavailable {
                reason: Unavailable::Sts(error),
                cause: match answer {
                    StsResponse::Unreachable(cause) => Some(cause),
                    StsResponse::Response { .. }
                    | StsResponse::TimedOut
                    | StsResponse::TooLarge { .. } => None,
                },
            },
        }
    }
}

/// Removes an in-flight call from the map when it is dropped.
struct InFlightGuard<'a> {
    single_flight: &'a SingleFlight,
    fingerprint: Fingerprint,
}

impl Drop for InFlightGuard<'_> {
    fn drop(&mut self) {
        self.single_flight.calls.lock().remove(&self.fingerprint);
    }
}

impl StsOutcome {
    pub(super) fn unavailable(reason: Unavailable) -> Self {
        Self::Unavailable {
            reason,
            cause: None,
        }
    }
}

impl From<CachedOutcome> for StsOutcome {
    fn from(known: CachedOutcome) -> Self {
        match known {
            CachedOutcome::Identity(identity, credential) => Self::Identity(identity, credential),
            CachedOutcome::Refused(refusal) => Self::Refused(refusal),
        }
    }
}
