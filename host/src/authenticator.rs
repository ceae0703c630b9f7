//! Drives `core`: a token in, a decision out, with STS's answer in between.
//!
//! STS's answer comes from the [cache](crate::identity_cache), from an in-flight call for an equal token, or from a new
//! call. In each case the current rules apply. A cached token passed every check of `core` under this policy, so an equal
//! token would pass them, too, until the cache entry expires.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ack_ram_core::access_key::CredentialId;
use ack_ram_core::decision::{Decision, Outcome, Unavailable};
use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::login::{AwaitingSts, RecognizedToken, Step, VerifiedIdentity};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::secret::Secret;
use ack_ram_core::sts::{StsError, StsRefusal};
use arc_swap::ArcSwap;
use fastrand::Rng;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use prometheus::IntCounter;
use tracing::Instrument as _;

use crate::backends::live::LiveRules;
use crate::config::StsLimits;
use crate::env::Clock;
use crate::identity_cache::{CachedOutcome, IdentityCache};
use crate::metrics::StsMetrics;
use crate::sts::{
    self, Caller, CredentialStandings, FollowerGuard, FollowerRoom, Overloaded, Requester,
    RequesterSet, StsClient, StsResponse,
};

/// Resolves tokens to the identities that signed them.
pub struct IdentityResolver {
    policy: TokenPolicy,
    lookups: [(IdentitySource, IntCounter); 3],
    single_flight: Arc<SingleFlight>,
}

/// Makes one call to STS for all equal tokens that arrive at the same time.
struct SingleFlight {
    sts: StsClient,
    cache: IdentityCache,
    /// The in-flight calls: one for equal tokens, which matters most where a token can be used only once.
    calls: Mutex<HashMap<Fingerprint, InFlightCall>>,
    /// Room for followers: logins that wait for another login's call. The queue for STS bounds the calls themselves.
    followers: Arc<FollowerRoom>,
    clock: Clock,
}

/// An in-flight call, which completes even if no login waits for it any longer.
struct InFlightCall {
    outcome: SharedOutcome,
    requesters: Arc<RequesterSet>,
}

type SharedOutcome = Shared<BoxFuture<'static, StsOutcome>>;

/// The outcome of a call to STS about a token.
#[derive(Clone)]
enum StsOutcome {
    Identity(Arc<VerifiedIdentity>, CredentialId),
    Refused(Arc<StsRefusal>),
    Unavailable {
        reason: Unavailable,
        cause: Option<String>,
    },
}

/// Where STS's answer about a token came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentitySource {
    /// A cache hit.
    Cache,
    /// A new call.
    Sts,
    /// An in-flight call for an equal token.
    SharedCall,
}

impl IdentitySource {
    /// Returns a stable name for logs and metrics.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Cache => "hit",
            Self::Sts => "miss",
            Self::SharedCall => "shared",
        }
    }
}

/// The identity that signed a token, and where it came from.
#[derive(Debug)]
pub struct ResolvedIdentity {
    /// The identity that signed the token.
    pub identity: Arc<VerifiedIdentity>,
    /// The credential that signed the token.
    pub credential: CredentialId,
    /// Where STS's answer came from.
    pub source: IdentitySource,
}

impl IdentityResolver {
    /// Builds a resolver that checks tokens against `policy`, calls `sts`, and caches its answers within `limits`.
    ///
    /// Another policy or another STS needs another resolver, which starts with an empty cache.
    #[must_use]
    pub fn new(
        policy: TokenPolicy,
        sts: StsClient,
        limits: &StsLimits,
        metrics: &StsMetrics,
        clock: Clock,
    ) -> Self {
        let sources = [
            IdentitySource::Cache,
            IdentitySource::Sts,
            IdentitySource::SharedCall,
        ];
        Self {
            policy,
            lookups: sources.map(|source| (source, metrics.lookups(source.code()))),
            single_flight: Arc::new(SingleFlight {
                sts,
                cache: IdentityCache::new(limits.identities, limits.refusals, metrics),
                calls: Mutex::default(),
                followers: FollowerRoom::new(limits.max_sharing, Rng::new()),
                clock,
            }),
        }
    }

    /// Resolves `token` to the identity that signed it, for `requester`. Under load, credentials whose last login was
    /// granted (`standings`) come first.
    ///
    /// A call to STS always completes: dropping the future only ends the waiting.
    ///
    /// # Errors
    /// Returns the decision about a token that proves no identity.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn resolve(
        &self,
        token: &Secret,
        requester: Requester,
        standings: &CredentialStandings,
    ) -> Result<ResolvedIdentity, Box<DecisionRecord>> {
        let Some(token) = RecognizedToken::recognize(token.expose()) else {
            return Err(Box::new(Decision::unrecognized_token().into()));
        };
        let now = (self.single_flight.clock)();
        let fingerprint = token.fingerprint();
        // What is logged on the way can be told from what is logged of other logins.
        let login = tracing::debug_span!("login", reference = %fingerprint);
        let (outcome, source) = match self.single_flight.cache.look_up(fingerprint, now) {
            Some(known) => {
                login.in_scope(|| tracing::debug!("who made the token is known already"));
                (known.into(), IdentitySource::Cache)
            }
            None => match token.begin(&self.policy, now) {
                Step::Decided(decision) => return Err(Box::new(decision.into())),
                Step::CallSts(awaiting) => {
                    let caller = standings.caller(awaiting.credential_id());
                    self.fetch_outcome(awaiting, requester, caller)
                        .instrument(login)
                        .await
                }
            },
        };
        self.count(source);
        match outcome {
            StsOutcome::Identity(identity, credential) => Ok(ResolvedIdentity {
                identity,
                credential,
                source,
            }),
            StsOutcome::Refused(refusal) => Err(Box::new(DecisionRecord {
                decision: Decision::from_sts_error(
                    fingerprint,
                    StsError::Refused((*refusal).clone()),
                ),
                cause: None,
                source: Some(source),
            })),
            StsOutcome::Unavailable { reason, cause } => Err(Box::new(DecisionRecord {
                decision: Decision::unavailable(fingerprint, reason),
                cause,
                source: Some(source),
            })),
        }
    }

    async fn fetch_outcome(
        &self,
        awaiting: AwaitingSts,
        requester: Requester,
        caller: Caller,
    ) -> (StsOutcome, IdentitySource) {
        match SingleFlight::join(&self.single_flight, awaiting, requester, caller) {
            JoinResult::Cached(known) => (known.into(), IdentitySource::Cache),
            JoinResult::Started(outcome) => {
                tracing::debug!("asks STS who made the token");
                (outcome.await, IdentitySource::Sts)
            }
            JoinResult::Shared(outcome, mut follower) => {
                tracing::debug!("waits for what STS says of an equal token");
                let outcome = tokio::select! {
                    biased;
                    outcome = outcome => outcome,
                    () = follower.dropped() => StsOutcome::unavailable(Unavailable::Overloaded),
                };
                (outcome, IdentitySource::SharedCall)
            }
        }
    }

    fn count(&self, source: IdentitySource) {
        let lookups = self.lookups.iter().find(|(known, _)| *known == source);
        if let Some((_, counter)) = lookups {
            counter.inc();
        }
    }
}

/// How a login takes part in a call to STS.
enum JoinResult {
    Cached(CachedOutcome),
    Started(SharedOutcome),
    Shared(SharedOutcome, FollowerGuard),
}

impl SingleFlight {
    /// Starts a call to STS, unless a call for an equal token is in flight or has just ended.
    fn join(
        self: &Arc<Self>,
        awaiting: AwaitingSts,
        requester: Requester,
        caller: Caller,
    ) -> JoinResult {
        let fingerprint = awaiting.fingerprint();
        let mut calls = self.calls();
        let vacant = match calls.entry(fingerprint) {
            Entry::Occupied(call) => return self.follow(call.get(), requester, caller),
            Entry::Vacant(vacant) => vacant,
        };
        // A call puts its answer into the cache before it leaves this map: one that ended since the first look is seen.
        if let Some(known) = self.cache.look_up(fingerprint, (self.clock)()) {
            return JoinResult::Cached(known);
        }
        let single_flight = Arc::clone(self);
        let requesters = Arc::new(RequesterSet::new(requester));
        let for_call = Arc::clone(&requesters);
        // A task of its own: when the one who came first goes away, the others still get their answer.
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

    /// Follows `call`, unless room is scarce and this follower has to make room.
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
        let now = (self.clock)();
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

    fn calls(&self) -> MutexGuard<'_, HashMap<Fingerprint, InFlightCall>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes an in-flight call from the map when it is dropped.
struct InFlightGuard<'a> {
    single_flight: &'a SingleFlight,
    fingerprint: Fingerprint,
}

impl Drop for InFlightGuard<'_> {
    fn drop(&mut self) {
        self.single_flight.calls().remove(&self.fingerprint);
    }
}

impl StsOutcome {
    fn unavailable(reason: Unavailable) -> Self {
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

/// A decision about a token, with what the log and the audit file add.
#[must_use]
#[derive(Debug)]
pub struct DecisionRecord {
    /// The decision.
    pub decision: Decision,
    /// Why STS could not be reached. The text names machines, and is for the log and for administrators.
    pub cause: Option<String>,
    /// Where STS's answer came from; `None` if no answer was needed.
    pub source: Option<IdentitySource>,
}

impl DecisionRecord {
    /// Returns what happened and what to do, with the cause; `None` if there is nothing to say.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match (&self.decision.outcome, &self.cause) {
            (Outcome::Unavailable(Unavailable::Sts(error)), Some(cause)) => {
                Some(format!("{error}: {cause}"))
            }
            _ => self.decision.reason(),
        }
    }
}

impl From<Decision> for DecisionRecord {
    fn from(decision: Decision) -> Self {
        Self {
            decision,
            cause: None,
            source: None,
        }
    }
}

/// Decides which Kubernetes user a token proves.
pub struct Authenticator {
    /// Resolves tokens to identities. Replaced as a whole, with its cache, when settings change.
    resolver: ArcSwap<IdentityResolver>,
    /// The credentials that were granted a login. They stay when settings change: a flood may be going on.
    standings: CredentialStandings,
    /// The rules that map identities to users.
    rules: Arc<LiveRules>,
}

impl Authenticator {
    /// Builds an authenticator that resolves tokens with `resolver` and maps identities by `rules`.
    #[must_use]
    pub fn new(resolver: IdentityResolver, rules: Arc<LiveRules>) -> Self {
        Self {
            resolver: ArcSwap::from_pointee(resolver),
            standings: CredentialStandings::default(),
            rules,
        }
    }

    /// Replaces the resolver. In-flight logins end with the resolver that they began with.
    pub fn replace(&self, resolver: IdentityResolver) {
        self.resolver.store(Arc::new(resolver));
    }

    /// Decides about `token`, by the rules in effect when its identity is known.
    pub async fn decide(&self, token: &Secret, requester: Requester) -> DecisionRecord {
        let resolver = self.resolver.load_full();
        let resolving = resolver.resolve(token, requester, &self.standings);
        match resolving.await {
            Ok(ResolvedIdentity {
                identity,
                credential,
                source,
            }) => {
                let decision = self.rules.decide(&identity);
                match decision.outcome {
                    Outcome::Granted(_) => {
                        self.standings.note(credential, true);
                        resolver.single_flight.cache.promote(identity.fingerprint());
                    }
                    Outcome::Denied(_) => self.standings.note(credential, false),
                    Outcome::UnrecognizedToken | Outcome::Unavailable(_) => {}
                }
                DecisionRecord {
                    decision,
                    cause: None,
                    source: Some(source),
                }
            }
            Err(decided) => *decided,
        }
    }
}

#[cfg(test)]
mod tests;
