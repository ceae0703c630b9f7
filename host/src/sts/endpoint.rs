//! One STS endpoint: its calls, its circuit breaker and its probes.

use std::sync::Arc;
use std::time::Duration;

use ack_ram_core::sts::StsRequest;
use ack_ram_transport::Connector;
use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::config::{Sts, StsEndpoint};
use crate::metrics::EndpointMetrics;
use crate::sts::breaker::{AfterFailure, Breaker, FailureScope};
use crate::sts::call::{CallResult, CallStatus, EndpointHealth, StsCall};
use crate::sts::http_endpoint::{CapturedConnections, HttpEndpoint, SendError};
use crate::sts::{Caller, StsResponse};

/// Log target of messages about single calls.
pub(super) const TARGET: &str = module_path!();

/// An endpoint with its kept connections.
pub(super) struct Endpoint {
    pub(super) calls: EndpointMetrics,
    name: Box<str>,
    /// Error text for a timeout before a connection through the proxy is established.
    proxy_timeout_text: Option<String>,
    breaker: Arc<Breaker>,
    http: Arc<HttpEndpoint>,
    /// Maximum time of a probe.
    probe_timeout: Duration,
    /// The last task that probes the endpoint.
    prober: Mutex<Option<AbortHandle>>,
}

impl Endpoint {
    pub(super) fn new(
        endpoint: &StsEndpoint,
        settings: &Sts,
        connector: Connector,
        calls: EndpointMetrics,
    ) -> Self {
        let proxy_timeout_text = connector.proxy_timeout_text();
        let name = endpoint.authority();
        let breaker = Breaker::new(name, settings.limits.breaker, calls.breaker.clone());
        Self {
            calls,
            name: name.into(),
            proxy_timeout_text,
            breaker: Arc::new(breaker),
            http: Arc::new(HttpEndpoint::new(endpoint, settings, connector)),
            probe_timeout: settings.limits.timeout,
            prober: Mutex::default(),
        }
    }

    /// Returns the host, with the port if one is configured.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether a call may go to the endpoint now. If not, the error is the time until the next probe.
    pub(super) fn admit(&self) -> Result<(), Duration> {
        self.breaker.admit()
    }

    /// Records the health of the endpoint after the call of `caller`.
    pub(super) fn record_health(&self, health: EndpointHealth, caller: Caller) {
        let scope = match health {
            EndpointHealth::Healthy => return self.breaker.note_success(),
            EndpointHealth::ConnectFailed => FailureScope::Endpoint,
            EndpointHealth::RequestFailed => FailureScope::Caller(caller),
            EndpointHealth::NotAttempted => return,
        };
        match self.breaker.note_failure(scope) {
            AfterFailure::Nothing => {}
            AfterFailure::Probe { at } => self.start_probing(at),
        }
    }

    /// Starts a task that probes the endpoint at the time `at`, and again after each pause until the endpoint recovers.
    fn start_probing(&self, at: Instant) {
        let (breaker, http) = (Arc::clone(&self.breaker), Arc::clone(&self.http));
        let timeout = self.probe_timeout;
        let task = tokio::spawn(async move {
            let mut next = Some(at);
            while let Some(at) = next {
                tokio::time::sleep_until(at).await;
                breaker.begin_probe();
                next = breaker.end_probe(http.is_alive(timeout).await);
            }
        });
        if let Some(last) = self.prober.lock().replace(task.abort_handle()) {
            last.abort();
        }
    }

    /// Sends `request` of `caller` and waits for the complete response, but not longer than `time`. A timeout after
    /// less than `min_fair_time` does not count against the endpoint.
    pub(super) async fn call(
        &self,
        caller: Caller,
        request: &StsRequest,
        time: Duration,
        min_fair_time: Duration,
    ) -> CallResult {
        let call = StsCall::begin(self, caller, request);
        let connections = CapturedConnections::default();
        let status = match tokio::time::timeout(time, self.send(request, &connections)).await {
            Ok(Ok(response)) => CallStatus::Answered(response),
            Ok(Err(error)) => CallStatus::Failed {
                error,
                was_sent: connections.was_established(),
            },
            Err(_) => CallStatus::TimedOut {
                was_sent: connections.was_established(),
                is_late: time < min_fair_time,
            },
        };
        call.end(status)
    }

    /// Returns the response of a call with `status`.
    pub(super) fn response_for(&self, status: CallStatus) -> StsResponse {
        match status {
            CallStatus::Answered(response) => response,
            CallStatus::Failed { error, .. } => StsResponse::Unreachable(error.to_string()),
            CallStatus::TimedOut { was_sent, .. } => match &self.proxy_timeout_text {
                Some(text) if !was_sent => StsResponse::Unreachable(text.clone()),
                _ => StsResponse::TimedOut,
            },
        }
    }

    /// Sends `request`, and retries it once after a connection error if that is safe. STS may have just closed a kept
    /// connection.
    async fn send(
        &self,
        request: &StsRequest,
        connections: &CapturedConnections,
    ) -> Result<StsResponse, SendError> {
        match self.http.send(request, connections).await {
            Err(error) if error.is_retryable(request) => {
                tracing::debug!(endpoint = self.name(), "retrying the call: {error}");
                self.calls.retries.inc();
                self.http.send(request, connections).await
            }
            other => other,
        }
    }
}

/// Stops the probes together with the client.
impl Drop for Endpoint {
    fn drop(&mut self) {
        if let Some(prober) = self.prober.get_mut() {
            prober.abort();
        }
    }
}
