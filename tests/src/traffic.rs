//! Callers of every kind who ask a webhook side by side, and a tally of what they were told.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ack_ram_core::secret::Secret;
use ack_ram_core::time::UnixTime;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::callers::{Caller, Outcome, Tokens};
use crate::webhook::WebhookClient;

/// As long as an API server waits for its webhook.
const PATIENCE: Duration = Duration::from_secs(30);
/// Of what went wrong, so much is enough to know.
const ENOUGH: usize = 10;

/// Asks a webhook, and judges what it is told.
#[derive(Clone)]
pub struct Asker {
    webhook: WebhookClient,
    tokens: Arc<Tokens>,
    clock: Arc<dyn Fn() -> UnixTime + Send + Sync>,
}

impl Asker {
    /// Asks `webhook`, with tokens that are dated by `clock`.
    pub fn new(
        webhook: WebhookClient,
        clock: impl Fn() -> UnixTime + Send + Sync + 'static,
    ) -> Self {
        Self {
            webhook,
            tokens: Arc::default(),
            clock: Arc::new(clock),
        }
    }

    /// The same callers at another webhook.
    #[must_use]
    pub fn at(&self, webhook: WebhookClient) -> Self {
        Self {
            webhook,
            ..self.clone()
        }
    }

    /// A token of `caller` that has not been asked about.
    #[must_use]
    pub fn token(&self, caller: Caller) -> Secret {
        self.tokens.next(caller, (self.clock)())
    }

    /// What `caller` is told about `token`.
    ///
    /// # Errors
    /// What may not be, as [`Caller::judge`] says.
    pub async fn ask(&self, caller: Caller, token: &Secret) -> Result<Outcome, String> {
        let reply = timeout(PATIENCE, self.webhook.review(token)).await;
        caller.judge(&reply.unwrap_or_else(|late| Err(late.into())))
    }

    /// What `caller` is told about a token of which nothing is known.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn ask_anew(&self, caller: Caller) -> Result<Outcome, String> {
        self.ask(caller, &self.token(caller)).await
    }

    /// Whether the good callers are let in, each with a token of which nothing is known, and the bad ones are not.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub async fn all_is_well(&self) -> Result<bool, String> {
        let mut is_well = true;
        for caller in Caller::GOOD {
            is_well &= self.ask_anew(caller).await? == Outcome::Granted;
        }
        for caller in Caller::BAD {
            is_well &= !matches!(self.ask_anew(caller).await?, Outcome::Unable(_));
        }
        Ok(is_well)
    }
}

/// How often which answer was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// They were let in.
    pub granted: usize,
    /// They were not, for a reason or since the token is another's.
    pub refused: usize,
    /// It could not be told.
    pub unable: usize,
}

impl Counts {
    fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Granted => self.granted += 1,
            Outcome::Refused | Outcome::PassedOver => self.refused += 1,
            Outcome::Unable(_) => self.unable += 1,
        }
    }

    /// All answers.
    #[must_use]
    pub fn total(self) -> usize {
        self.granted + self.refused + self.unable
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            granted,
            refused,
            unable,
        } = self;
        f.pad(&format!("{granted}/{refused}/{unable}"))
    }
}

/// What everybody was told.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Good callers whose tokens STS has to be asked about.
    pub fresh: Counts,
    /// Good callers whose tokens are remembered.
    pub known: Counts,
    /// Callers who may not be let in.
    pub bad: Counts,
    /// What nobody may be told.
    pub wrong: Vec<String>,
    /// Why it could not be told.
    pub unable: Vec<String>,
}

impl Tally {
    fn add(&mut self, told: Result<Outcome, String>, counts: fn(&mut Self) -> &mut Counts) {
        let (reasons, reason) = match told {
            Ok(outcome) => {
                counts(self).add(&outcome);
                let Outcome::Unable(reason) = outcome else {
                    return;
                };
                (&mut self.unable, reason)
            }
            Err(wrong) => (&mut self.wrong, wrong),
        };
        if reasons.len() < ENOUGH {
            reasons.push(reason);
        }
    }

    /// All answers.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.fresh.total() + self.known.total() + self.bad.total()
    }
}

/// Callers who ask until they are told to stop.
pub struct Traffic {
    stop: watch::Sender<bool>,
    workers: JoinSet<()>,
    tally: Arc<Mutex<Tally>>,
}

impl Traffic {
    /// Starts `fresh` good callers with new tokens, one with each of the `known` tokens, and one who tries everything
    /// that may not be. Each pauses for `pace` after an answer.
    #[must_use]
    pub fn start(asker: &Asker, fresh: usize, known: &[(Caller, Secret)], pace: Duration) -> Self {
        let (stop, _) = watch::channel(false);
        let mut traffic = Self {
            stop,
            workers: JoinSet::new(),
            tally: Arc::default(),
        };
        for first in 0..fresh {
            let callers = Caller::GOOD.into_iter().cycle().skip(first);
            let tokens = callers.map(|caller| (caller, None));
            traffic.work(asker, pace, tokens, |tally| &mut tally.fresh);
        }
        for (caller, token) in known {
            let tokens = std::iter::repeat((*caller, Some(token.clone())));
            traffic.work(asker, pace, tokens, |tally| &mut tally.known);
        }
        let bad = Caller::BAD.into_iter().cycle().map(|caller| (caller, None));
        traffic.work(asker, pace, bad, |tally| &mut tally.bad);
        traffic
    }

    fn work(
        &mut self,
        asker: &Asker,
        pace: Duration,
        tokens: impl Iterator<Item = (Caller, Option<Secret>)> + Send + 'static,
        counts: fn(&mut Tally) -> &mut Counts,
    ) {
        let (asker, stop) = (asker.clone(), self.stop.subscribe());
        let tally = Arc::clone(&self.tally);
        self.workers.spawn(async move {
            for (caller, token) in tokens {
                if *stop.borrow() {
                    return;
                }
                let token = token.unwrap_or_else(|| asker.token(caller));
                let told = asker.ask(caller, &token).await;
                tally.lock().add(told, counts);
                sleep(pace).await;
            }
        });
    }

    /// What has been told so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally.lock().clone()
    }

    /// Lets everybody have the answer they wait for, and no more.
    pub async fn stop(mut self) -> Tally {
        self.stop.send_replace(true);
        while self.workers.join_next().await.is_some() {}
        self.tally()
    }
}
