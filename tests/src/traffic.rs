//! Concurrent callers of every kind, and a tally of their outcomes.

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

/// How long a client waits for a reply: as long as an API server waits for its webhook.
const PATIENCE: Duration = Duration::from_secs(30);
/// The maximum number of reasons that a tally keeps.
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

    /// Returns a client with the same callers for another webhook.
    #[must_use]
    pub fn at(&self, webhook: WebhookClient) -> Self {
        Self {
            webhook,
            ..self.clone()
        }
    }

    /// Signs a new token of `caller`.
    #[must_use]
    pub fn token(&self, caller: Caller) -> Secret {
        self.tokens.next(caller, (self.clock)())
    }

    /// Sends a review of `token`, which is a token of `caller`. Returns the outcome.
    ///
    /// # Errors
    /// If `caller` must not get the outcome, as in [`Caller::check_reply`].
    pub async fn review(&self, caller: Caller, token: &Secret) -> Result<Outcome, String> {
        let reply = timeout(PATIENCE, self.webhook.review(token)).await;
        caller.check_reply(&reply.unwrap_or_else(|late| Err(late.into())))
    }

    /// Sends a review of a new token of `caller`. Returns the outcome.
    ///
    /// # Errors
    /// As [`Self::review`].
    pub async fn review_new_token(&self, caller: Caller) -> Result<Outcome, String> {
        self.review(caller, &self.token(caller)).await
    }

    /// Sends a review of a new token of every caller. Returns whether all mapped callers are granted and all other
    /// callers get a decision.
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
    /// The granted reviews.
    pub granted: usize,
    /// The reviews that were denied, or whose token is for another authenticator.
    pub denied: usize,
    /// The reviews without a decision.
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

    /// Returns the number of all reviews.
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

/// The outcomes of all reviews, by kind of caller.
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

    /// Returns the number of all reviews.
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
    /// Starts `fresh` mapped callers with new tokens, one caller for each of the `known` tokens, and one that
    /// alternates between all callers that get no user. Each caller pauses for `pace` after a reply.
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

    /// Stops the callers after their in-flight requests, and returns the outcomes.
    pub async fn stop(mut self) -> Tally {
        self.stop.send_replace(true);
        while self.workers.join_next().await.is_some() {}
        self.tally()
    }
}
