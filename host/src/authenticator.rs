//! Drives `core`: a token in, a decision out, with STS's word in between.
//!
//! That word comes from the [cache](crate::identity_cache), from a call that is under way for an equal token, or from
//! a call of its own. Wherever it comes from, the rules of now apply. What is remembered is remembered of a token that
//! passed every check of `core`, by this policy; an equal one would pass them, too, until that ends.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ack_ram_core::access_key::CredentialId;
use ack_ram_core::decision::{Decision, Inability, Outcome};
use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::login::{AwaitingSts, OurToken, Step, VerifiedIdentity};
use ack_ram_core::policy::Policy;
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
use crate::identity_cache::{IdentityCache, Known};
use crate::metrics::StsMetrics;
use crate::sts::{
    self, Answer, AskedBy, Askers, Caller, Overloaded, Sharer, SharingRoom, Standings, StsClient,
};

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
    /// Room for logins that wait for another's call. Calls themselves are bounded by the queue for STS.
    sharing: Arc<SharingRoom>,
    clock: Clock,
}

/// A call that goes on when all who wait for it have gone.
struct Call {
    word: SharedWord,
    askers: Arc<Askers>,
}

type SharedWord = Shared<BoxFuture<'static, Word>>;

/// What STS said of a token.
#[derive(Clone)]
enum Word {
    Identity(Arc<VerifiedIdentity>, CredentialId),
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
    /// The credential that signed the token.
    pub credential: CredentialId,
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
                sharing: SharingRoom::new(limits.max_sharing, Rng::new()),
                clock,
            }),
        }
    }

    /// Who made `token`, by STS's word, which is `asked_by` somebody. Where many ask, those whom the rules granted a login
    /// by `standings` come first.
    ///
    /// Once STS is asked, it is asked to the end: dropping the future stops the waiting alone.
    ///
    /// # Errors
    /// The decision about a token that proves no identity.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn identify(
        &self,
        token: &Secret,
        asked_by: AskedBy,
        standings: &Standings,
    ) -> Result<Identified, Box<Decided>> {
        let Some(token) = OurToken::of(token.expose()) else {
            return Err(Box::new(Decision::not_ours().into()));
        };
        let now = (self.inquiry.clock)();
        let fingerprint = token.fingerprint();
        // What is logged on the way can be told from what is logged of other logins.
        let login = tracing::debug_span!("login", reference = %fingerprint);
        let (word, word_from) = match self.inquiry.cache.look_up(fingerprint, now) {
            Some(known) => {
                login.in_scope(|| tracing::debug!("who made the token is known already"));
                (known.into(), WordFrom::Cache)
            }
            None => match token.begin(&self.policy, now) {
                Step::Done(decision) => return Err(Box::new(decision.into())),
                Step::Send(awaiting) => {
                    let caller = standings.caller(awaiting.credential_id());
                    self.word(awaiting, asked_by, caller)
                        .instrument(login)
                        .await
                }
            },
        };
        self.count(word_from);
        match word {
            Word::Identity(who, credential) => Ok(Identified {
                who,
                credential,
                word_from,
            }),
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

    async fn word(
        &self,
        awaiting: AwaitingSts,
        asked_by: AskedBy,
        caller: Caller,
    ) -> (Word, WordFrom) {
        match Inquiry::join(&self.inquiry, awaiting, asked_by, caller) {
            Joined::Known(known) => (known.into(), WordFrom::Cache),
            Joined::Call(word) => {
                tracing::debug!("asks STS who made the token");
                (word.await, WordFrom::Sts)
            }
            Joined::Shared(word, mut sharer) => {
                tracing::debug!("waits for what STS says of an equal token");
                let word = tokio::select! {
                    biased;
                    word = word => word,
                    () = sharer.dropped() => Word::unable(Inability::Overloaded),
                };
                (word, WordFrom::SharedCall)
            }
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
    Call(SharedWord),
    Shared(SharedWord, Sharer),
}

impl Inquiry {
    /// Asks STS, unless it is being asked about an equal token, or has just answered.
    fn join(self: &Arc<Self>, awaiting: AwaitingSts, asked_by: AskedBy, caller: Caller) -> Joined {
        let fingerprint = awaiting.fingerprint();
        let mut calls = self.calls();
        let vacant = match calls.entry(fingerprint) {
            Entry::Occupied(call) => return self.share(call.get(), asked_by, caller),
            Entry::Vacant(vacant) => vacant,
        };
        // A call puts its answer into the cache before it leaves this map: one that ended since the first look is seen.
        if let Some(known) = self.cache.look_up(fingerprint, (self.clock)()) {
            return Joined::Known(known);
        }
        let inquiry = Arc::clone(self);
        let askers = Arc::new(Askers::new(asked_by));
        let for_call = Arc::clone(&askers);
        // A task of its own: when the one who came first goes away, the others still get their answer.
        let call = tracing::debug_span!(target: sts::TARGET, "sts_call", reference = %fingerprint);
        let call = async move {
            let _under_way = UnderWay {
                inquiry: &inquiry,
                fingerprint,
            };
            inquiry.ask(awaiting, &for_call, caller).await
        }
        .instrument(call);
        let word = tokio::spawn(call)
            .map(|ended| ended.unwrap_or_else(|_| Word::unable(Inability::Internal)))
            .boxed()
            .shared();
        vacant.insert(Call {
            word: word.clone(),
            askers,
        });
        Joined::Call(word)
    }

    /// Waits with others for `call`, unless room is scarce and this one is among those who make room.
    fn share(&self, call: &Call, asked_by: AskedBy, caller: Caller) -> Joined {
        call.askers.join(asked_by);
        Joined::Shared(call.word.clone(), self.sharing.enter(asked_by, caller))
    }

    async fn ask(&self, awaiting: AwaitingSts, askers: &Askers, caller: Caller) -> Word {
        let fingerprint = awaiting.fingerprint();
        let expires = awaiting.expires();
        let good_once = !awaiting.request().may_be_resent();
        let answer = match self.sts.call(askers, caller, awaiting.request()).await {
            Ok(answer) => answer,
            Err(Overloaded) => return Word::unable(Inability::Overloaded),
        };
        let now = (self.clock)();
        match awaiting.resume(answer.as_reply(), now) {
            Ok(who) => {
                let who = Arc::new(who);
                self.cache.keep_identity(&who, caller, good_once, now);
                Word::Identity(who, caller.credential)
            }
            Err(StsError::Refused(refusal)) => {
                let refusal = Arc::new(refusal);
                self.cache.keep_refusal(fingerprint, &refusal, expires, now);
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

impl Word {
    fn unable(inability: Inability) -> Self {
        Self::Unable {
            inability,
            cause: None,
        }
    }
}

impl From<Known> for Word {
    fn from(known: Known) -> Self {
        match known {
            Known::Identity(who, credential) => Self::Identity(who, credential),
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
        match (&self.decision.outcome, &self.cause) {
            (Outcome::Unable(Inability::Sts(unable)), Some(cause)) => {
                Some(format!("{unable}: {cause}"))
            }
            _ => self.decision.reason(),
        }
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
    /// Who made a token. Replaced as a whole when settings change, with all that it remembers.
    identifier: ArcSwap<Identifier>,
    /// Which credentials were granted a login. They stay when settings change: a flood may be going on.
    standings: Standings,
    /// What each identity is.
    rules: Arc<LiveRules>,
}

impl Authenticator {
    /// Asks `identifier` who made a token, and `rules` what they are.
    #[must_use]
    pub fn new(identifier: Identifier, rules: Arc<LiveRules>) -> Self {
        Self {
            identifier: ArcSwap::from_pointee(identifier),
            standings: Standings::default(),
            rules,
        }
    }

    /// From now on, `identifier` is asked. Logins that are under way end with the one that they began with.
    pub fn replace(&self, identifier: Identifier) {
        self.identifier.store(Arc::new(identifier));
    }

    /// The decision about `token`, by the rules that apply when it is known who made it.
    pub async fn decide(&self, token: &Secret, asked_by: AskedBy) -> Decided {
        let identifier = self.identifier.load_full();
        let identified = identifier.identify(token, asked_by, &self.standings);
        match identified.await {
            Ok(Identified {
                who,
                credential,
                word_from,
            }) => {
                let decision = self.rules.decide(&who);
                match decision.outcome {
                    Outcome::Granted(_) => {
                        self.standings.note(credential, true);
                        identifier.inquiry.cache.note_granted(who.fingerprint());
                    }
                    Outcome::Denied(_) => self.standings.note(credential, false),
                    Outcome::NotOurs | Outcome::Unable(_) => {}
                }
                Decided {
                    decision,
                    cause: None,
                    word_from: Some(word_from),
                }
            }
            Err(decided) => *decided,
        }
    }
}

#[cfg(test)]
mod tests;
