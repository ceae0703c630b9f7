//! Drives `core`: a token in, a decision out, with STS's word in between.
//!
//! That word comes from the [cache](crate::identity_cache), from a call that is under way for an equal token, or from
//! a call of its own. Wherever it comes from, the token passes every check of `core` now, and the rules of now apply.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ack_ram_core::decision::{Decision, Inability};
use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::login::{self, AwaitingSts, Step, VerifiedIdentity};
use ack_ram_core::policy::Policy;
use ack_ram_core::secret::Secret;
use ack_ram_core::sts::{StsError, StsRefusal};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use prometheus::IntCounter;

use crate::backends::live::LiveRules;
use crate::config::StsLimits;
use crate::env::Clock;
use crate::identity_cache::{IdentityCache, Known};
use crate::metrics::StsMetrics;
use crate::sts::{Answer, Overloaded, StsClient};

/// Finds out who made a token.
pub struct Identifier {
    policy: Policy,
    lookups: [(WordFrom, IntCounter); 3],
    inquiry: Arc<Inquiry>,
}

/// What the calls to STS share with those who wait for them.
struct Inquiry {
    sts: StsClient,
    cache: IdentityCache,
    /// The calls that are under way: one for equal tokens, which matters most where a token is good once.
    calls: Mutex<HashMap<Fingerprint, Call>>,
    clock: Clock,
}

/// A call that any number of logins may wait for, and that goes on when they all have gone.
type Call = Shared<BoxFuture<'static, Word>>;

/// What STS said of a token.
#[derive(Clone)]
enum Word {
    Identity(Arc<VerifiedIdentity>),
    Refused(Arc<StsRefusal>),
    Unable {
        inability: Inability,
        cause: Option<String>,
    },
}

/// Where STS's word about a token came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordFrom {
    /// It was remembered.
    Cache,
    /// STS was asked.
    Sts,
    /// STS was being asked about an equal token.
    SharedCall,
}

impl WordFrom {
    /// A stable name for logs and metrics.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Cache => "hit",
            Self::Sts => "miss",
            Self::SharedCall => "shared",
        }
    }
}

/// Who made a token, and how that is known.
#[derive(Debug)]
pub struct Identified {
    /// Who made it.
    pub who: Arc<VerifiedIdentity>,
    /// Where STS's word came from.
    pub word_from: WordFrom,
}

impl Identifier {
    /// Takes tokens by `policy`, asks `sts` about them, and remembers its answers as `limits` say.
    ///
    /// Another policy or another STS is another identifier, which remembers nothing.
    #[must_use]
    pub fn new(
        policy: Policy,
        sts: StsClient,
        limits: &StsLimits,
        metrics: &StsMetrics,
        clock: Clock,
    ) -> Self {
        let sources = [WordFrom::Cache, WordFrom::Sts, WordFrom::SharedCall];
        Self {
            policy,
            lookups: sources.map(|source| (source, metrics.lookups(source.code()))),
            inquiry: Arc::new(Inquiry {
                sts,
                cache: IdentityCache::new(limits.identities, limits.refusals, metrics),
                calls: Mutex::default(),
                clock,
            }),
        }
    }

    /// Who made `token`, by STS's word.
    ///
    /// Once STS is asked, it is asked to the end: dropping the future stops the waiting alone.
    ///
    /// # Errors
    /// The decision about a token that proves no identity.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn identify(&self, token: &Secret) -> Result<Identified, Box<Decided>> {
        let now = (self.inquiry.clock)();
        let awaiting = match login::begin(token.expose(), &self.policy, now) {
            Step::Done(decision) => return Err(Box::new(decision.into())),
            Step::Send(awaiting) => awaiting,
        };
        let fingerprint = awaiting.fingerprint();
        let (word, word_from) = match self.inquiry.cache.look_up(fingerprint, now) {
            Some(known) => (known.into(), WordFrom::Cache),
            None => match Inquiry::join(&self.inquiry, awaiting) {
                Joined::Known(known) => (known.into(), WordFrom::Cache),
                Joined::Call(call, word_from) => (call.await, word_from),
            },
        };
        self.count(word_from);
        match word {
            Word::Identity(who) => Ok(Identified { who, word_from }),
            Word::Refused(refusal) => Err(Box::new(Decided {
                decision: Decision::from_sts_error(
                    fingerprint,
                    StsError::Refused((*refusal).clone()),
                ),
                cause: None,
                word_from: Some(word_from),
            })),
            Word::Unable { inability, cause } => Err(Box::new(Decided {
                decision: Decision::unable(fingerprint, inability),
                cause,
                word_from: Some(word_from),
            })),
        }
    }

    fn count(&self, word_from: WordFrom) {
        let lookups = self.lookups.iter().find(|(source, _)| *source == word_from);
        if let Some((_, counter)) = lookups {
            counter.inc();
        }
    }
}

enum Joined {
    Known(Known),
    Call(Call, WordFrom),
}

impl Inquiry {
    /// Asks STS, unless it is being asked about an equal token, or has just answered.
    fn join(self: &Arc<Self>, awaiting: AwaitingSts) -> Joined {
        let fingerprint = awaiting.fingerprint();
        let mut calls = self.calls();
        let vacant = match calls.entry(fingerprint) {
            Entry::Occupied(call) => {
                return Joined::Call(call.get().clone(), WordFrom::SharedCall);
            }
            Entry::Vacant(vacant) => vacant,
        };
        // A call puts its answer into the cache before it leaves this map: one that ended since the first look is seen.
        if let Some(known) = self.cache.look_up(fingerprint, (self.clock)()) {
            return Joined::Known(known);
        }
        let inquiry = Arc::clone(self);
        // A task of its own: when the one who came first goes away, the others still get their answer.
        let task = tokio::spawn(async move {
            let _under_way = UnderWay {
                inquiry: &inquiry,
                fingerprint,
            };
            inquiry.ask(awaiting).await
        });
        let call = task
            .map(|ended| {
                ended.unwrap_or(Word::Unable {
                    inability: Inability::Internal,
                    cause: None,
                })
            })
            .boxed()
            .shared();
        Joined::Call(vacant.insert(call).clone(), WordFrom::Sts)
    }

    async fn ask(&self, awaiting: AwaitingSts) -> Word {
        let fingerprint = awaiting.fingerprint();
        let good_once = !awaiting.request().may_be_resent();
        let called = self.sts.call(awaiting.access_key_id(), awaiting.request());
        let answer = match called.await {
            Ok(answer) => answer,
            Err(Overloaded) => {
                return Word::Unable {
                    inability: Inability::Overloaded,
                    cause: None,
                };
            }
        };
        let now = (self.clock)();
        match awaiting.resume(answer.as_reply(), now) {
            Ok(who) => {
                let who = Arc::new(who);
                self.cache.keep_identity(&who, good_once, now);
                Word::Identity(who)
            }
            Err(StsError::Refused(refusal)) => {
                let refusal = Arc::new(refusal);
                self.cache.keep_refusal(fingerprint, &refusal, now);
                Word::Refused(refusal)
            }
            Err(StsError::Unable(unable)) => Word::Unable {
                inability: Inability::Sts(unable),
                cause: match answer {
                    Answer::Unreachable(cause) => Some(cause),
                    Answer::Response { .. } | Answer::TimedOut | Answer::TooLarge { .. } => None,
                },
            },
        }
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<Fingerprint, Call>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that is under way, until it is dropped.
struct UnderWay<'a> {
    inquiry: &'a Inquiry,
    fingerprint: Fingerprint,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.inquiry.calls().remove(&self.fingerprint);
    }
}

impl From<Known> for Word {
    fn from(known: Known) -> Self {
        match known {
            Known::Identity(who) => Self::Identity(who),
            Known::Refused(refusal) => Self::Refused(refusal),
        }
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
    /// Where STS's word came from; `None` when it was not needed.
    pub word_from: Option<WordFrom>,
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
            word_from: None,
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
            Ok(Identified { who, word_from }) => Decided {
                decision: self.rules.snapshot().decide(&who),
                cause: None,
                word_from: Some(word_from),
            },
            Err(decided) => *decided,
        }
    }
}

#[cfg(test)]
mod tests;
