//! Drives `core`: a token in, a decision out, with one call to STS in between.

use ack_ram_core::decision::{Decision, Inability};
use ack_ram_core::login::{self, Step, VerifiedIdentity};
use ack_ram_core::policy::Policy;
use ack_ram_core::rules::RuleSet;
use ack_ram_core::secret::Secret;

use tokio::sync::Semaphore;

use crate::env::Clock;
use crate::sts::{Answer, StsClient};

/// Finds out who made a token.
pub struct Identifier {
    policy: Policy,
    sts: StsClient,
    calls: Semaphore,
    clock: Clock,
}

impl Identifier {
    /// Takes tokens by `policy` and asks `sts` about them, with no more than `max_calls` calls at once.
    #[must_use]
    pub fn new(policy: Policy, sts: StsClient, max_calls: usize, clock: Clock) -> Self {
        Self {
            policy,
            sts,
            calls: Semaphore::new(max_calls),
            clock,
        }
    }

    /// Who made `token`, by STS's word.
    ///
    /// # Errors
    /// The decision about a token that proves no identity.
    pub async fn identify(&self, token: &Secret) -> Result<VerifiedIdentity, Box<Decision>> {
        let awaiting = match login::begin(token.expose(), &self.policy, (self.clock)()) {
            Step::Done(decision) => return Err(Box::new(decision)),
            Step::Send(awaiting) => awaiting,
        };
        let fingerprint = awaiting.fingerprint();
        let Ok(_place) = self.calls.try_acquire() else {
            return Err(Box::new(Decision::unable(
                fingerprint,
                Inability::Overloaded,
            )));
        };
        let answer = self.sts.call(awaiting.request()).await;
        if let Answer::Unreachable(reason) = &answer {
            tracing::warn!(%fingerprint, reason, "STS could not be reached");
        }
        awaiting
            .resume(answer.as_reply(), (self.clock)())
            .map_err(|error| Box::new(Decision::from_sts_error(fingerprint, error)))
    }
}

/// Decides what whoever made a token is to Kubernetes.
pub struct Authenticator {
    /// Who made a token.
    pub identifier: Identifier,
    /// What each identity is.
    pub rules: RuleSet,
}

impl Authenticator {
    /// The decision about `token`.
    pub async fn decide(&self, token: &Secret) -> Decision {
        match self.identifier.identify(token).await {
            Ok(who) => self.rules.decide(&who),
            Err(decision) => *decision,
        }
    }
}
