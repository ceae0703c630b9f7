//! One worker of Envoy with one configuration: decides about each request of the worker.

mod call;
mod log_entry;

use std::rc::Rc;
use std::time::Duration;

use ack_ram_core::decision::{Decision, Unavailable};
use ack_ram_core::fingerprint::Fingerprint;
use ack_ram_core::gateway::{Refusal, contains_token};
use ack_ram_core::login::{Step, begin};
use ack_ram_core::sts::StsReply;
use ack_ram_core::time::UnixTime;

use crate::cache::IdentityCache;
use crate::config::{LogLevel, Settings};
use crate::pending_calls::{CallId, PendingCalls, QueueFull, StreamId, WaitingStream};
use crate::request::RequestHeaders;
pub use call::{StsCall, classify_reply};
pub use log_entry::LogEntry;

/// The state of one worker: settings, verified identities, and pending calls to STS.
pub struct Worker {
    settings: Settings,
    cache: IdentityCache,
    pending_calls: PendingCalls,
}

/// The plan for a new request.
#[must_use]
#[derive(Debug)]
pub struct RequestPlan {
    /// The headers to remove before the action, with all of their values. Applies to every action.
    pub remove: Vec<String>,
    /// The action for the request.
    pub action: RequestAction,
}

/// The action for a request.
#[must_use]
#[derive(Debug)]
pub enum RequestAction {
    /// Continue without a user: the request needs no login.
    Bypass,
    /// Continue with headers that name the user.
    Admit(AdmittedRequest),
    /// Answer the request with the refusal.
    Refuse(Refusal, LogEntry),
    /// Wait for STS. A later [`ResumedStream`] has the final action.
    Wait,
}

/// A request that may continue, with its user.
#[derive(Debug, PartialEq, Eq)]
pub struct AdmittedRequest {
    /// The identity headers to add.
    pub headers: Vec<(String, String)>,
    /// The username, for access logs.
    pub username: String,
    /// The entry for the log and for metrics.
    pub log_entry: LogEntry,
}

/// A stream that no longer waits.
#[must_use]
#[derive(Debug)]
pub struct ResumedStream {
    /// The stream.
    pub stream: StreamId,
    /// Whether the request is a gRPC call.
    pub is_grpc: bool,
    /// The action for the request. Never [`RequestAction::Wait`].
    pub action: RequestAction,
}

/// The result of a completed call to STS.
#[must_use]
#[derive(Debug, Default)]
pub struct CompletedCall {
    /// The time since the call was requested. `None` if the call will be retried, or if no call has this ID.
    pub elapsed: Option<Duration>,
    /// The streams that waited for the call.
    pub resumed: Vec<ResumedStream>,
}

impl Worker {
    /// Creates a worker without cached identities or pending calls.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            cache: IdentityCache::new(settings.cache),
            pending_calls: PendingCalls::default(),
            settings,
        }
    }

    /// Returns the minimum severity of messages to log.
    #[must_use]
    pub fn log_level(&self) -> LogLevel {
        self.settings.log_level
    }

    /// Decides about the request with `request_headers` on `stream`. `now` is the time since 1970.
    pub fn plan_request(
        &mut self,
        stream: StreamId,
        request_headers: RequestHeaders<'_>,
        now: Duration,
    ) -> RequestPlan {
        let token = &self.settings.token;
        let identity = &self.settings.gateway.headers;
        let mut remove = Vec::new();
        let mut has_token_in_url = false;
        for (name, value) in request_headers.0 {
            if !self.is_withheld(name, value) {
                continue;
            }
            if name.starts_with(':') {
                // Pseudo-headers cannot be removed.
                has_token_in_url = true;
            } else if !remove.contains(name) {
                remove.push(name.clone());
            }
        }
        let is_preflight = self.settings.allows_preflights && request_headers.is_preflight();
        let action = if request_headers
            .hop_by_hop_names()
            .any(|name| identity.is_identity_header(name))
        {
            // The next proxy would remove identity headers that the filter adds, and the service would see a request
            // without a user, or with fewer groups.
            forbidden_action(Refusal::identity_header_present(identity))
        } else if has_token_in_url {
            forbidden_action(Refusal::stray_token(&token.header))
        } else if is_preflight || self.settings.bypass.allows(request_headers.path()) {
            RequestAction::Bypass
        } else {
            match token
                .header
                .extract_token(request_headers.values(token.header.as_str()))
            {
                Ok(secret) => {
                    let waiting = WaitingStream {
                        stream,
                        is_grpc: request_headers.is_grpc(),
                    };
                    self.start_login(secret.expose(), waiting, now)
                }
                Err(error) => {
                    let refusal = Refusal::from_bearer_error(error, &token.header);
                    let log_entry = LogEntry::no_token(&refusal);
                    RequestAction::Refuse(refusal, log_entry)
                }
            }
        };
        RequestPlan { remove, action }
    }

    /// Returns the names of `trailers` to remove. Services may treat trailers like headers.
    pub fn trailers_to_remove<'a>(&self, trailers: RequestHeaders<'a>) -> Vec<&'a str> {
        let token = &self.settings.token;
        let is_token = |name: &str| !token.is_forwarded && name == token.header.as_str();
        let trailers = trailers.0.iter();
        trailers
            .filter(|(name, value)| is_token(name) || self.is_withheld(name, value))
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// Returns whether this header or trailer of a client must not reach the service: it is an identity header, or it
    /// has a token. A token is only for the filter, even in a request that needs no token.
    fn is_withheld(&self, name: &str, value: &[u8]) -> bool {
        let token = &self.settings.token;
        let is_forwarded = token.is_forwarded && name == token.header.as_str();
        self.settings.gateway.headers.is_identity_header(name)
            || !is_forwarded && contains_token(value)
    }

    fn start_login(&mut self, token: &str, waiting: WaitingStream, now: Duration) -> RequestAction {
        let time = unix(now);
        let awaiting = match begin(token, &self.settings.policy, time) {
            Step::Decided(decision) => return self.action_for(&decision, None),
            Step::CallSts(awaiting) => awaiting,
        };
        let fingerprint = awaiting.fingerprint();
        if let Some(identity) = self.cache.get(fingerprint, time) {
            return self.action_for(&identity.decide(&self.settings.rules), Some("hit"));
        }
        match self
            .pending_calls
            .join(awaiting, waiting, &self.settings.sts, now)
        {
            Ok(()) => RequestAction::Wait,
            Err(QueueFull) => {
                let decision = Decision::unavailable(fingerprint, Unavailable::Overloaded);
                self.action_for(&decision, None)
            }
        }
    }

    /// Returns the next call to send, if a call may be sent now. The host must then call [`Self::mark_sent`] or
    /// [`Self::fail_call`].
    #[must_use]
    pub fn next_call(&mut self) -> Option<Fingerprint> {
        self.pending_calls.next_to_send(&self.settings.sts)
    }

    /// Builds the request for a call that [`Self::next_call`] returned. Returns `None` if the call has waited for
    /// longer than its timeout.
    #[must_use]
    pub fn prepare(&self, call: Fingerprint, now: Duration) -> Option<StsCall> {
        let pending_call = self.pending_calls.get(call)?;
        let timeout = pending_call.time_left(self.settings.sts.timeout, now)?;
        let request = pending_call.awaiting.request();
        Some(StsCall::new(request, &self.settings.sts, timeout))
    }

    /// Records that the call was sent at `now`. `id` is Envoy's ID of the call.
    pub fn mark_sent(&mut self, call: Fingerprint, id: CallId, now: Duration) {
        self.pending_calls.mark_sent(call, id, now);
    }

    /// Ends a call that could not be sent. `reason` says why there is no decision.
    pub fn fail_call(&mut self, call: Fingerprint, reason: &Unavailable) -> Vec<ResumedStream> {
        let Some(pending_call) = self.pending_calls.remove(call) else {
            return Vec::new();
        };
        let decision = Decision::unavailable(call, reason.clone());
        self.resume_streams(pending_call.waiting, &decision)
    }

    /// Ends the call `id` with `reply`. `now` is the time since 1970. A call whose connection broke may be retried: it
    /// is then the [next call](Self::next_call) again.
    pub fn complete_call(
        &mut self,
        id: CallId,
        reply: StsReply<'_>,
        now: Duration,
    ) -> CompletedCall {
        let broke_off = matches!(reply, StsReply::Unreachable);
        if broke_off && self.pending_calls.requeue(id, &self.settings.sts, now) {
            return CompletedCall::default();
        }
        let Some(pending_call) = self.pending_calls.complete(id) else {
            return CompletedCall::default();
        };
        let fingerprint = pending_call.awaiting.fingerprint();
        let decision = match pending_call.awaiting.resume(reply, unix(now)) {
            Ok(identity) => {
                let identity = Rc::new(identity);
                self.cache.insert(Rc::clone(&identity), unix(now));
                identity.decide(&self.settings.rules)
            }
            Err(error) => Decision::from_sts_error(fingerprint, error),
        };
        CompletedCall {
            elapsed: Some(now.saturating_sub(pending_call.requested_at)),
            resumed: self.resume_streams(pending_call.waiting, &decision),
        }
    }

    /// Ends all calls with the decision "unavailable". Later replies to calls in flight are ignored.
    pub fn fail_all(&mut self) -> Vec<ResumedStream> {
        let pending_calls = std::mem::take(&mut self.pending_calls);
        let resumed = pending_calls
            .into_waiting_streams()
            .map(|(token, waiting)| {
                let decision = Decision::unavailable(token, Unavailable::Internal);
                self.resume_streams(waiting, &decision)
            });
        resumed.flatten().collect()
    }

    /// Removes `stream`, which was closed.
    pub fn close_stream(&mut self, stream: StreamId) {
        self.pending_calls.remove_stream(stream);
    }

    /// Returns whether `stream` waits for STS. No part of its request may continue until then.
    #[must_use]
    pub fn is_waiting(&self, stream: StreamId) -> bool {
        self.pending_calls.is_waiting(stream)
    }

    /// Returns the number of waiting streams and the number of cached identities.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize) {
        (self.pending_calls.waiting_count(), self.cache.len())
    }

    fn resume_streams(
        &self,
        waiting: Vec<WaitingStream>,
        decision: &Decision,
    ) -> Vec<ResumedStream> {
        let mut identity_source = "miss";
        let resumed = waiting.into_iter().map(|waiting| ResumedStream {
            stream: waiting.stream,
            is_grpc: waiting.is_grpc,
            action: self.action_for(
                decision,
                Some(std::mem::replace(&mut identity_source, "shared")),
            ),
        });
        resumed.collect()
    }

    fn action_for(
        &self,
        decision: &Decision,
        identity_source: Option<&'static str>,
    ) -> RequestAction {
        match self.settings.gateway.admit(decision) {
            Ok(admitted) => RequestAction::Admit(AdmittedRequest {
                username: admitted.user.username.clone(),
                log_entry: LogEntry::admitted(decision, identity_source),
                headers: admitted.headers,
            }),
            Err(refusal) => {
                let log_entry = LogEntry::refused(decision, &refusal, identity_source);
                RequestAction::Refuse(refusal, log_entry)
            }
        }
    }
}

fn forbidden_action(refusal: Refusal) -> RequestAction {
    let log_entry = LogEntry::forbidden(&refusal);
    RequestAction::Refuse(refusal, log_entry)
}

fn unix(now: Duration) -> UnixTime {
    UnixTime::from_seconds(i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
