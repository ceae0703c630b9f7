//! Callers of every kind who send reviews side by side, and a tally of the outcomes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ack_ram_core::secret::Secret;
use ack_ram_core::time::UnixTime;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::callers::{Caller, Outcome, TokenMaker};
use crate::webhook::WebhookClient;

/// As long as an API server waits for its webhook.
const PATIENCE: Duration = Duration::from_secs(30);
/// Of what went wrong, so much is enough to know.
const ENOUGH: usize = 10;

/// A client that sends reviews for callers of every kind, and checks the outcomes.
#[derive(Clone)]
pub struct LoadClient {
    webhook: WebhookClient,
    tokens: Arc<TokenMaker>,
    clock: Arc<dyn Fn() -> UnixTime + Send + Sync>,
}

impl LoadClient {
    /// Builds a client of `webhook`, with tokens dated by `clock`.
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

    /// Makes a new token of `caller`.
    #[must_use]
    pub fn token(&self, caller: Caller) -> Secret {
        self.tokens.next(caller, (self.clock)())
    }

    /// Reviews `token` of `caller`. Returns the outcome.
    ///
    /// # Errors
    /// When `caller` must not get the outcome, as [`Caller::check_reply`] says.
    pub async fn review(&self, caller: Caller, token: &Secret) -> Result<Outcome, String> {
        let reply = timeout(PATIENCE, self.webhook.review(token)).await;
        caller.check_reply(&reply.unwrap_or_else(|late| Err(late.into())))
    }

    /// Reviews a new token of `caller`. Returns the outcome.
    ///
    /// # Errors
    /// As [`Self::review`].
    pub async fn review_new_token(&self, caller: Caller) -> Result<Outcome, String> {
        self.review(caller, &self.token(caller)).await
    }

    /// Reviews a new token of every caller. Returns whether all mapped callers are granted and all others are decided.
    ///
    /// # Errors
    /// As [`Self::review`].
    pub async fn check_all(&self) -> Result<bool, String> {
        let mut is_well = true;
        for caller in Caller::MAPPED {
            is_well &= self.review_new_token(caller).await? == Outcome::Granted;
        }
        for caller in Caller::REJECTED {
            is_well &= !matches!(
                self.review_new_token(caller).await?,
                Outcome::Unavailable(_)
            );
        }
        Ok(is_well)
    }
}

/// The number of reviews by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Granted.
    pub granted: usize,
    /// Denied, or for another authenticator.
    pub denied: usize,
    /// Not decided.
    pub unavailable: usize,
}

impl Counts {
    fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Granted => self.granted += 1,
            Outcome::Denied | Outcome::Unrecognized => self.denied += 1,
            Outcome::Unavailable(_) => self.unavailable += 1,
        }
    }

    /// All answers.
    #[must_use]
    pub fn total(self) -> usize {
        self.granted + self.denied + self.unavailable
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            granted,
            denied,
            unavailable,
        } = self;
        f.pad(&format!("{granted}/{denied}/{unavailable}"))
    }
}

/// The outcomes of all reviews.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Mapped callers whose tokens need a call to STS.
    pub fresh: Counts,
    /// Mapped callers whose tokens are in the cache.
    pub known: Counts,
    /// Callers that get no user.
    pub rejected: Counts,
    /// Outcomes that a caller must not get.
    pub violations: Vec<String>,
    /// The reasons of reviews that were not decided.
    pub unavailable: Vec<String>,
}

impl Tally {
    fn add(&mut self, outcome: Result<Outcome, String>, counts: fn(&mut Self) -> &mut Counts) {
        let (reasons, reason) = match outcome {
            Ok(outcome) => {
                counts(self).add(&outcome);
                let Outcome::Unavailable(reason) = outcome else {
                    return;
                };
                (&mut self.unavailable, reason)
            }
            Err(violation) => (&mut self.violations, violation),
        };
        if reasons.len() < ENOUGH {
            reasons.push(reason);
        }
    }

    /// All answers.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.fresh.total() + self.known.total() + self.rejected.total()
    }
}

/// Callers that send reviews until [`Traffic::stop`].
pub struct Traffic {
    stop: watch::Sender<bool>,
    workers: JoinSet<()>,
    tally: Arc<Mutex<Tally>>,
}

impl Traffic {
    /// Starts `fresh` mapped callers with new tokens, one with each of the `known` tokens, and one with the tokens of all
    /// callers that get no user. Each pauses for `pace` after an answer.
    #[must_use]
    pub fn start(
        client: &LoadClient,
        fresh: usize,
        known: &[(Caller, Secret)],
        pace: Duration,
    ) -> Self {
        let (stop, _) = watch::channel(false);
        let mut traffic = Self {
            stop,
            workers: JoinSet::new(),
            tally: Arc::default(),
        };
        for first in 0..fresh {
            let callers = Caller::MAPPED.into_iter().cycle().skip(first);
            let tokens = callers.map(|caller| (caller, None));
            traffic.work(client, pace, tokens, |tally| &mut tally.fresh);
        }
        for (caller, token) in known {
            let tokens = std::iter::repeat((*caller, Some(token.clone())));
            traffic.work(client, pace, tokens, |tally| &mut tally.known);
        }
        let rejected = Caller::REJECTED
            .into_iter()
            .cycle()
            .map(|caller| (caller, None));
        traffic.work(client, pace, rejected, |tally| &mut tally.rejected);
        traffic
    }

    fn work(
        &mut self,
        client: &LoadClient,
        pace: Duration,
        tokens: impl Iterator<Item = (Caller, Option<Secret>)> + Send + 'static,
        counts: fn(&mut Tally) -> &mut Counts,
    ) {
        let (client, stop) = (client.clone(), self.stop.subscribe());
        let tally = Arc::clone(&self.tally);
        self.workers.spawn(async move {
            for (caller, token) in tokens {
                if *stop.borrow() {
                    return;
                }
                let token = token.unwrap_or_else(|| client.token(caller));
                let outcome = client.review(caller, &token).await;
                tally.lock().add(outcome, counts);
                sleep(pace).await;
            }
        });
    }

    /// Returns the outcomes so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally.lock().clone()
    }

    /// Stops all callers, each after the answer that it waits for.
    pub async fn stop(mut self) -> Tally {
        self.stop.send_replace(true);
        while self.workers.join_next().await.is_some() {}
        self.tally()
    }
}
