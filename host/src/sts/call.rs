//! A single call to one endpoint.

use ack_ram_core::sts::StsRequest;

use crate::metrics::CallTimer;
use crate::sts::endpoint::{Endpoint, TARGET};
use crate::sts::http_endpoint::SendError;
use crate::sts::{Caller, StsResponse};

/// A call in flight. [`StsCall::end`] ends it. A dropped call was abandoned and does not affect the endpoint's health.
#[must_use]
pub(super) struct StsCall<'a> {
    endpoint: &'a Endpoint,
    caller: Caller,
    /// Whether STS accepts the request a second time.
    may_be_resent: bool,
    timer: CallTimer<'a>,
}

/// How a call ended. The type is not `Debug`, because a response may repeat signed values.
pub(super) enum CallStatus {
    /// The endpoint answered.
    Answered(StsResponse),
    /// There was no response.
    Failed {
        error: SendError,
        /// Whether the request may have reached the endpoint.
        was_sent: bool,
    },
    /// The call timed out.
    TimedOut {
        /// Whether the request may have reached the endpoint.
        was_sent: bool,
        /// Whether the call had so little time that the timeout does not count against the endpoint.
        is_late: bool,
    },
}

/// The result of a call, for deciding whether to call the next endpoint.
pub(super) struct CallResult {
    pub(super) response: StsResponse,
    /// Whether another endpoint may be called: this one failed, and STS accepts the request a second time.
    pub(super) may_continue: bool,
}

/// The health of an endpoint, as shown by one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndpointHealth {
    /// The endpoint answered, with any result.
    Healthy,
    /// There was no connection, or no TLS.
    ConnectFailed,
    /// The endpoint did not answer in time, closed the connection, or answered with a server error.
    RequestFailed,
    /// The endpoint was not called.
    NotAttempted,
}

impl<'a> StsCall<'a> {
    /// Starts a call of `caller` with `request` to `endpoint`.
    pub(super) fn begin(endpoint: &'a Endpoint, caller: Caller, request: &StsRequest) -> Self {
        tracing::debug!(target: TARGET, endpoint = endpoint.name(), "call started");
        Self {
            endpoint,
            caller,
            may_be_resent: request.may_be_resent(),
            timer: endpoint.calls.begin(),
        }
    }

    /// Ends the call with `status`, and reports it to the log, the metrics and the circuit breaker.
    pub(super) fn end(self, status: CallStatus) -> CallResult {
        let (health, was_sent, is_late) = (status.health(), status.was_sent(), status.is_late());
        let response = self.endpoint.response_for(status);
        tracing::debug!(target: TARGET, endpoint = self.endpoint.name(), answer = %response, "call ended");
        self.timer.end(&response);
        // A call that waited long for its permit had little time for STS. Its timeout does not count against STS.
        if !is_late {
            self.endpoint.record_health(health, self.caller);
        }
        CallResult {
            response,
            may_continue: health.is_failure() && (!was_sent || self.may_be_resent),
        }
    }
}

impl CallStatus {
    fn health(&self) -> EndpointHealth {
        match self {
            Self::Answered(StsResponse::Response {
                status: 500..=599, ..
            }) => EndpointHealth::RequestFailed,
            Self::Answered(
                StsResponse::Response { .. }
                | StsResponse::TooLarge { .. }
                | StsResponse::Unreachable(_)
                | StsResponse::TimedOut,
            ) => EndpointHealth::Healthy,
            Self::Failed { error, .. } => match error {
                SendError::Request(_) => EndpointHealth::NotAttempted,
                SendError::ConnectFailed(_) | SendError::ConnectTimedOut(_) => {
                    EndpointHealth::ConnectFailed
                }
                SendError::BrokenOff(_) => EndpointHealth::RequestFailed,
            },
            Self::TimedOut { was_sent: true, .. } => EndpointHealth::RequestFailed,
            Self::TimedOut {
                was_sent: false, ..
            } => EndpointHealth::ConnectFailed,
        }
    }

    fn was_sent(&self) -> bool {
        match self {
            Self::Answered(_) => true,
            Self::Failed { was_sent, .. } | Self::TimedOut { was_sent, .. } => *was_sent,
        }
    }

    fn is_late(&self) -> bool {
        matches!(self, Self::TimedOut { is_late: true, .. })
    }
}

impl EndpointHealth {
    /// Returns whether another endpoint may work better.
    fn is_failure(self) -> bool {
        matches!(self, Self::ConnectFailed | Self::RequestFailed)
    }
}
