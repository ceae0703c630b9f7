//! One worker of Envoy's with one configuration: what becomes of each of its requests.

mod call;
mod told;

use std::rc::Rc;
use std::time::Duration;

use ack_ram_core::decision::{Decision, Inability};
use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::gateway::{Refusal, holds_token};
use ack_ram_core::login::{Step, begin};
use ack_ram_core::sts::StsReply;
use ack_ram_core::time::UnixTime;

use crate::cache::IdentityCache;
use crate::config::{LogLevel, Settings};
use crate::flights::{CallId, Flights, Full, StreamId, Waiting};
use crate::request::Head;
pub use call::{Call, reply};
pub use told::Told;

/// All that a worker knows.
pub struct Worker {
    settings: Settings,
    cache: IdentityCache,
    flights: Flights,
}

/// What to do with a request that has arrived.
#[must_use]
#[derive(Debug)]
pub struct Arrival {
    /// Headers to be taken away first, whatever comes next, with all of their values.
    pub remove: Vec<String>,
    /// What comes next.
    pub then: Then,
}

/// What to do with a request.
#[must_use]
#[derive(Debug)]
pub enum Then {
    /// It needs no login, and goes on as nobody's.
    Bypass,
    /// It goes on, and services are told who it is.
    Enter(Entry),
    /// It is answered here.
    Refuse(Refusal, Told),
    /// It waits: a later [`Woken`] says what becomes of it.
    Wait,
}

/// What a service is told of whoever comes.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// Headers to be added.
    pub headers: Vec<(String, String)>,
    /// For access logs.
    pub username: String,
    /// For the log and metrics.
    pub told: Told,
}

/// A stream that waits no longer.
#[must_use]
#[derive(Debug)]
pub struct Woken {
    /// The stream.
    pub stream: StreamId,
    /// Whether it is a call of gRPC.
    pub is_grpc: bool,
    /// What becomes of it; never [`Then::Wait`].
    pub then: Then,
}

/// How a call to STS went.
#[must_use]
#[derive(Debug, Default)]
pub struct Answered {
    /// How long it took, from when it was wanted. Nothing when it goes out again, or is for nobody any more.
    pub took: Option<Duration>,
    /// Those who waited for it.
    pub woken: Vec<Woken>,
}

impl Worker {
    /// A worker that knows nobody yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            cache: IdentityCache::new(settings.cache),
            flights: Flights::default(),
            settings,
        }
    }

    /// What is logged.
    #[must_use]
    pub fn log_level(&self) -> LogLevel {
        self.settings.log_level
    }

    /// What becomes of the request with the headers `head` on `stream`, at the time `now` since 1970.
    pub fn arrived(&mut self, stream: StreamId, head: Head<'_>, now: Duration) -> Arrival {
        let token = &self.settings.token;
        let identity = &self.settings.gateway.headers;
        let mut remove = Vec::new();
        let mut has_token_in_url = false;
        for (name, value) in head.0 {
            if !self.is_private(name, value) {
                continue;
            }
            if name.starts_with(':') {
                // Pseudo-headers cannot be removed.
                has_token_in_url = true;
            } else if !remove.contains(name) {
                remove.push(name.clone());
            }
        }
        let is_preflight = self.settings.lets_preflights_pass && head.is_preflight();
        let then = if head.ending_here().any(|name| identity.is_ours(name)) {
            // The next proxy would remove what the filter adds, and the service would take somebody for nobody.
            forbid(Refusal::names_itself(identity))
        } else if has_token_in_url {
            forbid(Refusal::stray_token(&token.header))
        } else if is_preflight || self.settings.bypass.lets_pass(head.path()) {
            Then::Bypass
        } else {
            match token.header.bearer(head.all(token.header.as_str())) {
                Ok(secret) => {
                    let waiting = Waiting {
                        stream,
                        is_grpc: head.is_grpc(),
                    };
                    self.login(secret.expose(), waiting, now)
                }
                Err(none) => {
                    let refusal = Refusal::no_bearer(none, &token.header);
                    let told = Told::no_token(&refusal);
                    Then::Refuse(refusal, told)
                }
            }
        };
        Arrival { remove, then }
    }

    /// The names of `trailers` to be taken away: services may read them as headers.
    pub fn trailed<'a>(&self, trailers: Head<'a>) -> Vec<&'a str> {
        let token = &self.settings.token;
        let is_token = |name: &str| !token.is_kept && name == token.header.as_str();
        let trailers = trailers.0.iter();
        trailers
            .filter(|(name, value)| is_token(name) || self.is_private(name, value))
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// Whether a service must not get this header or trailer of a client: one that says who comes, or has a token, which
    /// is for the filter alone, also where it was not needed.
    fn is_private(&self, name: &str, value: &[u8]) -> bool {
        let token = &self.settings.token;
        let is_kept = token.is_kept && name == token.header.as_str();
        self.settings.gateway.headers.is_ours(name) || !is_kept && holds_token(value)
    }

    fn login(&mut self, token: &str, waiting: Waiting, now: Duration) -> Then {
        let time = unix(now);
        let awaiting = match begin(token, &self.settings.policy, time) {
            Step::Done(decision) => return self.tell(&decision, None),
            Step::Send(awaiting) => awaiting,
        };
        let fingerprint = awaiting.fingerprint();
        if let Some(who) = self.cache.look_up(fingerprint, time) {
            return self.tell(&self.settings.rules.decide(&who), Some("hit"));
        }
        match self
            .flights
            .join(awaiting, waiting, &self.settings.sts, now)
        {
            Ok(()) => Then::Wait,
            Err(Full) => {
                let decision = Decision::unable(fingerprint, Inability::Overloaded);
                self.tell(&decision, None)
            }
        }
    }

    /// The next call to make, if there is one to make now. It must be answered by [`Self::sent`] or [`Self::not_sent`].
    #[must_use]
    pub fn next_call(&mut self) -> Option<Fingerprint> {
        self.flights.next(&self.settings.sts)
    }

    /// What to send for a call that [`Self::next_call`] named, unless it has waited for longer than a call may take.
    #[must_use]
    pub fn prepare(&self, call: Fingerprint, now: Duration) -> Option<Call> {
        let flight = self.flights.get(call)?;
        let timeout = flight.time_left(self.settings.sts.timeout, now)?;
        let request = flight.awaiting.request();
        Some(Call::new(request, &self.settings.sts, timeout))
    }

    /// The call is under way since `now`, and Envoy knows it as `id`.
    pub fn sent(&mut self, call: Fingerprint, id: CallId, now: Duration) {
        self.flights.sent(call, id, now);
    }

    /// The call could not be made: `inability` says why.
    pub fn not_sent(&mut self, call: Fingerprint, inability: &Inability) -> Vec<Woken> {
        let Some(flight) = self.flights.take(call) else {
            return Vec::new();
        };
        let decision = Decision::unable(call, inability.clone());
        self.wake(flight.waiting, &decision)
    }

    /// What becomes of those who waited for the call `id`, now that STS has answered, at the time `now` since 1970. A call
    /// that broke off may be the [next](Self::next_call) one again.
    pub fn answered(&mut self, id: CallId, reply: StsReply<'_>, now: Duration) -> Answered {
        let broke_off = matches!(reply, StsReply::Unreachable);
        if broke_off && self.flights.is_wanted_again(id, &self.settings.sts, now) {
            return Answered::default();
        }
        let Some(flight) = self.flights.ended(id) else {
            return Answered::default();
        };
        let fingerprint = flight.awaiting.fingerprint();
        let decision = match flight.awaiting.resume(reply, unix(now)) {
            Ok(who) => {
                let who = Rc::new(who);
                self.cache.keep(Rc::clone(&who), unix(now));
                self.settings.rules.decide(&who)
            }
            Err(error) => Decision::from_sts_error(fingerprint, error),
        };
        Answered {
            took: Some(now.saturating_sub(flight.since)),
            woken: self.wake(flight.waiting, &decision),
        }
    }

    /// All who wait, with the answer that it cannot be told. Calls that are under way are for nobody then.
    pub fn give_up(&mut self) -> Vec<Woken> {
        let flights = std::mem::take(&mut self.flights);
        let woken = flights.into_waiting().map(|(token, waiting)| {
            let decision = Decision::unable(token, Inability::Internal);
            self.wake(waiting, &decision)
        });
        woken.flatten().collect()
    }

    /// `stream` is over.
    pub fn gone(&mut self, stream: StreamId) {
        self.flights.gone(stream);
    }

    /// Whether `stream` waits: nothing of it may go on.
    #[must_use]
    pub fn waits(&self, stream: StreamId) -> bool {
        self.flights.waits(stream)
    }

    /// How many streams wait, and how many identities are known.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize) {
        (self.flights.waiting(), self.cache.len())
    }

    fn wake(&self, waiting: Vec<Waiting>, decision: &Decision) -> Vec<Woken> {
        let mut word_from = "miss";
        let woken = waiting.into_iter().map(|waiting| Woken {
            stream: waiting.stream,
            is_grpc: waiting.is_grpc,
            then: self.tell(decision, Some(std::mem::replace(&mut word_from, "shared"))),
        });
        woken.collect()
    }

    fn tell(&self, decision: &Decision, word_from: Option<&'static str>) -> Then {
        match self.settings.gateway.admit(decision) {
            Ok(admitted) => Then::Enter(Entry {
                username: admitted.user.username.clone(),
                told: Told::admitted(decision, word_from),
                headers: admitted.headers,
            }),
            Err(refusal) => {
                let told = Told::refused(decision, &refusal, word_from);
                Then::Refuse(refusal, told)
            }
        }
    }
}

fn forbid(refusal: Refusal) -> Then {
    let told = Told::forbidden(&refusal);
    Then::Refuse(refusal, told)
}

fn unix(now: Duration) -> UnixTime {
    UnixTime::from_seconds(i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
