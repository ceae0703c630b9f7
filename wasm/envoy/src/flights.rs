//! Calls to STS that are wanted or under way, and the streams that wait for them.
//!
//! There is one call for equal tokens. It belongs to none of the streams: when the one that came first goes away, the
//! others still get their answer.

use std::collections::VecDeque;
use std::time::Duration;

use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::login::AwaitingSts;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::config::StsSettings;

/// A stream of Envoy's.
pub(crate) type StreamId = u32;
/// A call of Envoy's.
pub(crate) type CallId = u32;

/// Who chooses a token does not choose its SHA-256, and how many wait is bounded: a fixed hash is good enough.
type Map<K, V> = HashMap<K, V, FixedState>;

const MILLISECOND: Duration = Duration::from_millis(1);

/// All calls of a worker.
#[derive(Default)]
pub(crate) struct Flights {
    by_token: Map<Fingerprint, Flight>,
    by_call: Map<CallId, Fingerprint>,
    by_stream: Map<StreamId, Fingerprint>,
    /// Those that have not been sent, the oldest first.
    wanted: VecDeque<Fingerprint>,
}

/// One call.
pub(crate) struct Flight {
    pub(crate) awaiting: AwaitingSts,
    pub(crate) waiting: Vec<Waiting>,
    /// When it was first wanted, since 1970.
    pub(crate) since: Duration,
    /// When it was first sent.
    sent: Option<Duration>,
    is_second_try: bool,
}

impl Flight {
    /// How long the call may take if it is sent at the time `now`; nothing when it is too late for it.
    ///
    /// Two tries share the time `limit` of one. With less than a tenth of it left there is no second one: STS would hardly
    /// answer, and a call that Envoy gave up in the middle of an answer looks as if it had broken off.
    pub(crate) fn time_left(&self, limit: Duration, now: Duration) -> Option<Duration> {
        let left = limit.checked_sub(now.saturating_sub(self.sent.unwrap_or(self.since)))?;
        match self.sent {
            // Envoy takes no millisecond for no limit.
            Some(_) => Some(left).filter(|left| *left >= (limit / 10).max(MILLISECOND)),
            None => Some(limit),
        }
    }
}

/// A stream that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) stream: StreamId,
    pub(crate) is_grpc: bool,
}

/// There is no room for one more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Flights {
    /// Lets `stream` wait for the call that `awaiting` needs, which is wanted from now on unless it was before.
    pub(crate) fn join(
        &mut self,
        awaiting: AwaitingSts,
        stream: Waiting,
        limits: &StsSettings,
        now: Duration,
    ) -> Result<(), Full> {
        let room = limits.max_waiting.saturating_sub(self.by_stream.len());
        let token = awaiting.fingerprint();
        let flight = self.by_token.get_mut(&token);
        // A flood of one token takes no more than half of the room that is left, so that others find some.
        let wanted = flight.as_ref().map_or(0, |flight| flight.waiting.len());
        if room <= wanted {
            return Err(Full);
        }
        self.by_stream.insert(stream.stream, token);
        match flight {
            Some(flight) => flight.waiting.push(stream),
            None => {
                let flight = Flight {
                    awaiting,
                    waiting: vec![stream],
                    since: now,
                    sent: None,
                    is_second_try: false,
                };
                self.by_token.insert(token, flight);
                self.wanted.push_back(token);
            }
        }
        Ok(())
    }

    /// The next call to send, if one more may be under way.
    pub(crate) fn next(&mut self, limits: &StsSettings) -> Option<Fingerprint> {
        if self.by_call.len() >= limits.max_calls {
            return None;
        }
        self.wanted.pop_front()
    }

    pub(crate) fn get(&self, token: Fingerprint) -> Option<&Flight> {
        self.by_token.get(&token)
    }

    /// The call for `token` is under way as `call`.
    pub(crate) fn sent(&mut self, token: Fingerprint, call: CallId, now: Duration) {
        self.by_call.insert(call, token);
        if let Some(flight) = self.by_token.get_mut(&token) {
            flight.sent.get_or_insert(now);
        }
    }

    /// Whether the call, which broke off, is wanted once more, before all others: STS may have closed a kept connection
    /// just then.
    pub(crate) fn is_wanted_again(
        &mut self,
        call: CallId,
        limits: &StsSettings,
        now: Duration,
    ) -> bool {
        let Some(&token) = self.by_call.get(&call) else {
            return false;
        };
        let Some(flight) = self.by_token.get_mut(&token) else {
            return false;
        };
        let is_wanted = !flight.is_second_try
            && !flight.waiting.is_empty()
            && flight.awaiting.request().may_be_resent()
            && flight.time_left(limits.timeout, now).is_some();
        if is_wanted {
            flight.is_second_try = true;
            self.by_call.remove(&call);
            self.wanted.push_front(token);
        }
        is_wanted
    }

    /// The call came to its end.
    pub(crate) fn ended(&mut self, call: CallId) -> Option<Flight> {
        let token = self.by_call.remove(&call)?;
        self.take(token)
    }

    /// The call for `token`, which is over.
    pub(crate) fn take(&mut self, token: Fingerprint) -> Option<Flight> {
        let flight = self.by_token.remove(&token)?;
        for waiting in &flight.waiting {
            self.by_stream.remove(&waiting.stream);
        }
        Some(flight)
    }

    /// Nobody waits on `stream` any more. A call that nobody waits for and that has not been sent is dropped.
    pub(crate) fn gone(&mut self, stream: StreamId) {
        let Some(token) = self.by_stream.remove(&stream) else {
            return;
        };
        let Some(flight) = self.by_token.get_mut(&token) else {
            return;
        };
        flight.waiting.retain(|waiting| waiting.stream != stream);
        if flight.waiting.is_empty()
            && let Some(place) = self.wanted.iter().position(|wanted| *wanted == token)
        {
            self.wanted.remove(place);
            self.by_token.remove(&token);
        }
    }

    /// All who wait, by the token that they wait with.
    pub(crate) fn into_waiting(self) -> impl Iterator<Item = (Fingerprint, Vec<Waiting>)> {
        let flights = self.by_token.into_iter();
        flights.map(|(token, flight)| (token, flight.waiting))
    }

    /// Whether `stream` waits.
    pub(crate) fn waits(&self, stream: StreamId) -> bool {
        self.by_stream.contains_key(&stream)
    }

    /// How many streams wait.
    pub(crate) fn waiting(&self) -> usize {
        self.by_stream.len()
    }
}
