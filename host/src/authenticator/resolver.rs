//! Resolves tokens: from the cache, from an in-flight call, or with a new call to STS.

use std::sync::Arc;

use ack_ram_core::access_key::CredentialId;
use ack_ram_core::decision::{Decision, Unavailable};
use ack_ram_core::login::{AwaitingSts, RecognizedToken, Step, VerifiedIdentity};
use ack_ram_core::policy::TokenPolicy;
use ack_ram_core::secret::Secret;
use ack_ram_core::sts::StsError;
use prometheus::IntCounter;
use tracing::Instrument as _;

use crate::authenticator::TARGET;
use crate::authenticator::decision_record::{DecisionRecord, IdentitySource};
use crate::authenticator::single_flight::{JoinResult, SingleFlight, StsOutcome};
use crate::clock::Clock;
use crate::config::StsLimits;
use crate::metrics::StsMetrics;
use crate::sts::{Caller, CredentialStandings, Requester, StsClient};

/// Resolves tokens to the identities that signed them.
pub struct IdentityResolver {
    policy: TokenPolicy,
    lookups: [(IdentitySource, IntCounter); 3],
    pub(super) single_flight: Arc<SingleFlight>,
}

/// The identity that signed a token, and the source of STS's answer about it.
#[derive(Debug)]
pub struct ResolvedIdentity {
    /// The identity that signed the token.
    pub identity: Arc<VerifiedIdentity>,
    /// The credential that signed the token.
    pub credential: CredentialId,
    /// Source of STS's answer.
    pub source: IdentitySource,
}

impl IdentityResolver {
    /// Builds a resolver that checks tokens against `policy`, calls `sts`, and caches its answers within `limits`.
    ///
    /// A different policy or a different STS client needs a new resolver, which starts with an empty cache.
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
            single_flight: Arc::new(SingleFlight::new(sts, limits, metrics, clock)),
        }
    }

    /// Resolves `token` to the identity that signed it, on behalf of `requester`. Under load, credentials whose last
    /// login was granted, as recorded in `standings`, have priority.
    ///
    /// A call to STS always completes: dropping the future only stops waiting for it.
    ///
    /// # Errors
    /// Returns the decision about a token that does not prove an identity.
    ///
    /// # Panics
    /// If it is called outside of a tokio runtime.
    pub async fn resolve(
        &self,
        token: &Secret,
        requester: Requester,
        standings: &CredentialStandings,
    ) -> Result<ResolvedIdentity, Box<DecisionRecord>> {
        let Some(token) = RecognizedToken::recognize(token.expose()) else {
            return Err(Box::new(Decision::unrecognized_token().into()));
        };
        let now = self.single_flight.now();
        let fingerprint = token.fingerprint();
        // The span distinguishes the log messages of this login from those of others.
        let login = tracing::debug_span!(target: TARGET, "login", reference = %fingerprint);
        let (outcome, source) = match self.single_flight.cache().look_up(fingerprint, now) {
            Some(known) => {
                login.in_scope(
                    || tracing::debug!(target: TARGET, "found STS's answer in the cache"),
                );
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

    /// Marks the cache entry of `identity` as granted, so that identities without a login do not evict it.
    pub(super) fn promote(&self, identity: &VerifiedIdentity) {
        self.single_flight.cache().promote(identity.fingerprint());
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
                tracing::debug!(target: TARGET, "calling STS to verify the token");
                (outcome.await, IdentitySource::Sts)
            }
            JoinResult::Shared(outcome, mut follower) => {
                tracing::debug!(target: TARGET, "waiting for STS's answer about an equal token");
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
