//! Pending calls to STS, unsent or in flight, and the streams that wait for them.
//!
//! Equal tokens share one call (single flight). The call does not belong to the stream that started it: if that stream
//! is closed, the other streams still get the result.

use std::collections::VecDeque;
use std::time::Duration;

use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::login::AwaitingSts;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::config::StsSettings;

/// Envoy's ID of a stream.
pub(crate) type StreamId = u32;
/// Envoy's ID of a call.
pub(crate) type CallId = u32;

/// A map with a fixed hash function. That is safe here: clients cannot choose the SHA-256 of a token, and the number of
/// waiting streams is limited.
type Map<K, V> = HashMap<K, V, FixedState>;

const MILLISECOND: Duration = Duration::from_millis(1);

/// All calls of a worker.
#[derive(Default)]
pub(crate) struct PendingCalls {
    by_token: Map<Fingerprint, PendingCall>,
    by_call: Map<CallId, Fingerprint>,
    by_stream: Map<StreamId, Fingerprint>,
    /// The calls that have not been sent, oldest first.
    unsent: VecDeque<Fingerprint>,
}

/// A call, and the streams that wait for it.
pub(crate) struct PendingCall {
    pub(crate) awaiting: AwaitingSts,
    pub(crate) waiting: Vec<WaitingStream>,
    /// The time of the first request that needs the call, since 1970.
    pub(crate) requested_at: Duration,
    /// The time when the call was first sent.
    sent_at: Option<Duration>,
    is_retry: bool,
}

impl PendingCall {
    /// Returns the timeout of the call if it is sent at the time `now`; `None` if it is too late to send it.
    ///
    /// A call and its retry share the time `limit`. If less than a tenth of `limit` is left, there is no retry, for two
    /// reasons: STS would hardly reply in time, and a call that Envoy cancels in the middle of a reply looks like a
    /// broken connection.
    pub(crate) fn time_left(&self, limit: Duration, now: Duration) -> Option<Duration> {
        let left =
            limit.checked_sub(now.saturating_sub(self.sent_at.unwrap_or(self.requested_at)))?;
        match self.sent_at {
            // Envoy treats a timeout of zero milliseconds as "no timeout".
            Some(_) => Some(left).filter(|left| *left >= (limit / 10).max(MILLISECOND)),
            None => Some(limit),
        }
    }
}

/// A stream that waits for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaitingStream {
    pub(crate) stream: StreamId,
    pub(crate) is_grpc: bool,
}

/// The error if the number of waiting streams has reached its limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct QueueFull;

impl PendingCalls {
    /// Makes `stream` wait for the call that `awaiting` needs. Adds the call unless it is already pending.
    pub(crate) fn join(
        &mut self,
        awaiting: AwaitingSts,
        stream: WaitingStream,
        limits: &StsSettings,
        now: Duration,
    ) -> Result<(), QueueFull> {
        let free = limits.max_waiting.saturating_sub(self.by_stream.len());
        let token = awaiting.fingerprint();
        let pending_call = self.by_token.get_mut(&token);
        // Limits the streams with one token to half of the free slots, so that a flood leaves slots for other tokens.
        let waiting_for_token = pending_call
            .as_ref()
            .map_or(0, |pending_call| pending_call.waiting.len());
        if free <= waiting_for_token {
            return Err(QueueFull);
        }
        self.by_stream.insert(stream.stream, token);
        match pending_call {
            Some(pending_call) => pending_call.waiting.push(stream),
            None => {
                let pending_call = PendingCall {
                    awaiting,
                    waiting: vec![stream],
                    requested_at: now,
                    sent_at: None,
                    is_retry: false,
                };
                self.by_token.insert(token, pending_call);
                self.unsent.push_back(token);
            }
        }
        Ok(())
    }

    /// Returns the next call to send, if there is one and the limit of calls in flight allows it.
    pub(crate) fn next_to_send(&mut self, limits: &StsSettings) -> Option<Fingerprint> {
        if self.by_call.len() >= limits.max_calls {
            return None;
        }
        self.unsent.pop_front()
    }

    pub(crate) fn get(&self, token: Fingerprint) -> Option<&PendingCall> {
        self.by_token.get(&token)
    }

    /// Records that the call for `token` is in flight as `call`.
    pub(crate) fn mark_sent(&mut self, token: Fingerprint, call: CallId, now: Duration) {
        self.by_call.insert(call, token);
        if let Some(pending_call) = self.by_token.get_mut(&token) {
            pending_call.sent_at.get_or_insert(now);
        }
    }

    /// Schedules a retry, before all other calls, for a call whose connection broke: STS may just have closed a
    /// kept-alive connection. Returns whether the call will be retried. A call is retried at most once, and only if a
    /// stream waits.
    pub(crate) fn requeue(&mut self, call: CallId, limits: &StsSettings, now: Duration) -> bool {
        let Some(&token) = self.by_call.get(&call) else {
            return false;
        };
        let Some(pending_call) = self.by_token.get_mut(&token) else {
            return false;
        };
        let may_retry = !pending_call.is_retry
            && !pending_call.waiting.is_empty()
            && pending_call.awaiting.request().may_be_resent()
            && pending_call.time_left(limits.timeout, now).is_some();
        if may_retry {
            pending_call.is_retry = true;
            self.by_call.remove(&call);
            self.unsent.push_front(token);
        }
        may_retry
    }

    /// Removes the call with Envoy's ID `call`, which has ended. Returns `None` if no such call is in flight.
    pub(crate) fn complete(&mut self, call: CallId) -> Option<PendingCall> {
        let token = self.by_call.remove(&call)?;
        self.remove(token)
    }

    /// Removes the call for `token`, together with its waiting streams.
    pub(crate) fn remove(&mut self, token: Fingerprint) -> Option<PendingCall> {
        let pending_call = self.by_token.remove(&token)?;
        for waiting in &pending_call.waiting {
            self.by_stream.remove(&waiting.stream);
        }
        Some(pending_call)
    }

    /// Removes `stream`. An unsent call that no other stream waits for is dropped.
    pub(crate) fn remove_stream(&mut self, stream: StreamId) {
        let Some(token) = self.by_stream.remove(&stream) else {
            return;
        };
        let Some(pending_call) = self.by_token.get_mut(&token) else {
            return;
        };
        pending_call
            .waiting
            .retain(|waiting| waiting.stream != stream);
        if pending_call.waiting.is_empty()
            && let Some(index) = self.unsent.iter().position(|unsent| *unsent == token)
        {
            self.unsent.remove(index);
            self.by_token.remove(&token);
        }
    }

    /// Returns all waiting streams, by token.
    pub(crate) fn into_waiting_streams(
        self,
    ) -> impl Iterator<Item = (Fingerprint, Vec<WaitingStream>)> {
        let pending_calls = self.by_token.into_iter();
        pending_calls.map(|(token, pending_call)| (token, pending_call.waiting))
    }

    /// Returns whether `stream` waits for a call.
    pub(crate) fn is_waiting(&self, stream: StreamId) -> bool {
        self.by_stream.contains_key(&stream)
    }

    /// Returns the number of waiting streams.
    pub(crate) fn waiting_count(&self) -> usize {
        self.by_stream.len()
    }
}
