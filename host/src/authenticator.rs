//! Drives `core`: a token in, a decision out, with one call to STS in between.

use std::sync::Arc;

use ack_ram_core::decision::{Decision, Inability};
use ack_ram_core::login::{self, Step, VerifiedIdentity};
use ack_ram_core::policy::Policy;
use ack_ram_core::secret::Secret;

use tokio::sync::Semaphore;

use crate::backends::live::LiveRules;
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
    pub async fn identify(&self, token: &Secret) -> Result<VerifiedIdentity, Box<Decided>> {
        let awaiting = match login::begin(token.expose(), &self.policy, (self.clock)()) {
            Step::Done(decision) => return Err(Box::new(decision.into())),
            Step::Send(awaiting) => awaiting,
        };
        let fingerprint = awaiting.fingerprint();
        let Ok(_place) = self.calls.try_acquire() else {
            let decision = Decision::unable(fingerprint, Inability::Overloaded);
            return Err(Box::new(decision.into()));
        };
        let answer = self.sts.call(awaiting.request()).await;
        let identified = awaiting.resume(answer.as_reply(), (self.clock)());
        identified.map_err(|error| {
            Box::new(Decided {
                decision: Decision::from_sts_error(fingerprint, error),
                cause: match answer {
                    Answer::Unreachable(cause) => Some(cause),
                    Answer::Response { .. } | Answer::TimedOut | Answer::TooLarge { .. } => None,
                },
            })
        })
    }
}

/// What was decided about a token.
#[must_use]
#[derive(Debug)]
pub struct Decided {
    /// The decision.
    pub decision: Decision,
    /// How STS could not be reached. It names machines, and is for the log and for administrators.
    pub cause: Option<String>,
}

impl Decided {
    /// What happened and what to do, with the cause; `None` when there is nothing to say.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        let reason = self.decision.reason()?;
        Some(match &self.cause {
            Some(cause) => format!("{reason}: {cause}"),
            None => reason,
        })
    }
}

impl From<Decision> for Decided {
    fn from(decision: Decision) -> Self {
        Self {
            decision,
            cause: None,
        }
    }
}

/// Decides what whoever made a token is to Kubernetes.
pub struct Authenticator {
    /// Who made a token.
    pub identifier: Identifier,
    /// What each identity is.
    pub rules: Arc<LiveRules>,
}

impl Authenticator {
    /// The decision about `token`.
    pub async fn decide(&self, token: &Secret) -> Decided {
        match self.identifier.identify(token).await {
            Ok(who) => self.rules.snapshot().decide(&who).into(),
            Err(decided) => *decided,
        }
    }
}
