//! The client for STS.
//!
//! A call waits for a permit in a fair [queue], then goes to the first endpoint whose circuit [breaker] is closed. If
//! that endpoint fails, the call goes to the next configured endpoints, as long as time is left and STS accepts the
//! request a second time.

mod breaker;
mod call;
mod endpoint;
mod http_endpoint;
mod queue;
mod standing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ack_ram_core::sts::{StsReply, StsRequest};
use ack_ram_transport::proxy::ProxySettings;
use ack_ram_transport::{Connector, proxy_to, trust_warnings};
pub use ack_ram_transport::{StsTrust, StsTrustError};
use bytes::Bytes;
use fastrand::Rng;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::config::{Sts, StsEndpoint};
use crate::environment;
use crate::metrics::StsMetrics;
use endpoint::Endpoint;
use queue::{CallPermit, FairQueue, QueueFull};
pub(crate) use queue::{FollowerGuard, FollowerRoom};
pub use standing::{Caller, CredentialStanding, CredentialStandings};

/// Log target of messages about calls to STS.
pub(crate) const TARGET: &str = module_path!();

/// A client for STS with kept connections.
pub struct StsClient {
    /// The endpoints, in the order in which they are called.
    endpoints: Vec<Endpoint>,
    queue: Arc<FairQueue>,
    timeout: Duration,
}

/// The requester of a call to STS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requester {
    /// The API server, or a user of the command line.
    ApiServer,
    /// A proxy in front of services, which may forward requests of anyone on the internet. A flood there must not keep
    /// users out of the cluster, so all proxies together get at most half of the capacity.
    Proxy,
}

/// The requesters that wait for one call.
#[derive(Debug)]
pub struct RequesterSet {
    first: Requester,
    api_server_joined: Notify,
}

impl RequesterSet {
    /// Builds the set with the requester that starts the call.
    #[must_use]
    pub fn new(first: Requester) -> Self {
        Self {
            first,
            api_server_joined: Notify::new(),
        }
    }

    /// Adds a requester. Once any requester is the API server, the call counts as the API server's.
    pub fn join(&self, requester: Requester) {
        if requester == Requester::ApiServer {
            self.api_server_joined.notify_one();
        }
    }
}

/// The result of a call.
#[derive(Debug)]
pub enum StsResponse {
    /// A complete HTTP response.
    Response {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: Bytes,
    },
    /// There was no connection, or it was lost. The text is the cause, for the log.
    Unreachable(String),
    /// The deadline passed.
    TimedOut,
    /// The body was longer than the limit.
    TooLarge {
        /// The HTTP status.
        status: u16,
    },
}

/// There was no permit for the call, and no room or time to wait for one. STS was not called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overloaded;

impl StsResponse {
    /// Returns the reply for `core`.
    #[must_use]
    pub fn as_reply(&self) -> StsReply<'_> {
        match self {
            Self::Response { status, body } => StsReply::Response {
                status: *status,
                body,
            },
            Self::Unreachable(_) => StsReply::Unreachable,
            Self::TimedOut => StsReply::TimedOut,
            Self::TooLarge { .. } => StsReply::TooLarge,
        }
    }
}

/// The text is for the log. It leaves out the body, which may repeat signed values.
impl fmt::Display for StsResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Response { status, body } => write!(f, "status {status}, {} bytes", body.len()),
            Self::Unreachable(text) => f.write_str(text),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::TooLarge { status } => write!(f, "status {status}, body too large"),
        }
    }
}

/// Returns warnings about environment variables for connections to STS that are probably mistakes. Unusable variables
/// are errors of [`StsClient::new`].
#[must_use]
pub fn environment_warnings(settings: &Sts) -> Vec<String> {
    let proxies = ProxySettings::from_environment(&environment::variable);
    let mut warnings = proxies.warnings().to_vec();
    let mut endpoints = std::iter::once(&settings.endpoint).chain(&settings.fallback_endpoints);
    if let Some(error) = proxies.error()
        && endpoints.all(|endpoint| proxy_to(endpoint.uri(), &proxies).is_ok())
    {
        warnings.push(format!("{error} (no connection to STS needs it)"));
    }
    if settings.ca_file.is_none() {
        warnings.extend(trust_warnings());
    }
    warnings
}

impl StsClient {
    /// Builds a client from `settings` that counts its calls in `metrics`. Nothing is sent yet.
    ///
    /// # Errors
    /// Returns an error if there are no certificates to trust, or if the proxy cannot be used.
    pub fn new(settings: &Sts, metrics: &StsMetrics) -> Result<Self, StsTrustError> {
        Self::with_trust(
            &StsTrust::load(settings.ca_file.as_ref())?,
            settings,
            metrics,
        )
    }

    /// Builds a client that trusts `trust`, regardless of the current contents of `server.sts.caFile`, and resets the
    /// breaker gauges of the previous client in `metrics`.
    ///
    /// # Errors
    /// Returns an error if the proxy cannot be used.
    pub fn with_trust(
        trust: &StsTrust,
        settings: &Sts,
        metrics: &StsMetrics,
    ) -> Result<Self, StsTrustError> {
        let all = std::iter::once(&settings.endpoint).chain(&settings.fallback_endpoints);
        let proxies = ProxySettings::from_environment(&environment::variable);
        let connectors: Vec<(&StsEndpoint, Connector)> = all
            .map(|endpoint| {
                let deadline = settings.limits.connect_timeout;
                let connector = Connector::new(endpoint.uri(), deadline, trust, &proxies)?;
                Ok((endpoint, connector))
            })
            .collect::<Result<_, StsTrustError>>()?;
        metrics.forget_breakers();
        let endpoints = connectors.into_iter().map(|(endpoint, connector)| {
            let calls = metrics.endpoint(endpoint.authority());
            Endpoint::new(endpoint, settings, connector, calls)
        });
        let (max_calls, max_waiting) = (settings.limits.max_calls, settings.limits.max_waiting);
        Ok(Self {
            endpoints: endpoints.collect(),
            queue: FairQueue::new(max_calls, max_waiting, metrics.queue().clone(), Rng::new()),
            timeout: settings.limits.timeout,
        })
    }

    /// Calls STS. The call takes no longer than `server.sts.timeout`, including the time in the queue.
    ///
    /// Under load, credentials take turns, and proxies leave room to other requesters.
    ///
    /// # Errors
    /// Returns [`Overloaded`] if the queue is full. STS was not called then.
    pub async fn call(
        &self,
        requesters: &RequesterSet,
        caller: Caller,
        request: &StsRequest,
    ) -> Result<StsResponse, Overloaded> {
        let start = Instant::now();
        match self
            .acquire(requesters, caller, start + self.queue_time())
            .await
        {
            Ok(_permit) => Ok(self
                .try_endpoints(caller, request, start + self.timeout)
                .await),
            Err(QueueFull) => Err(Overloaded),
        }
    }

    async fn acquire(
        &self,
        requesters: &RequesterSet,
        caller: Caller,
        deadline: Instant,
    ) -> Result<CallPermit, QueueFull> {
        let queued = self.queue.acquire(requesters.first, caller, deadline);
        match requesters.first {
            Requester::ApiServer => queued.await,
            Requester::Proxy => tokio::select! {
                permit = queued => permit,
                // The call leaves the queue of proxies and joins the queue of the API server.
                () = requesters.api_server_joined.notified() => {
                    self.queue.acquire(Requester::ApiServer, caller, deadline).await
                }
            },
        }
    }

    /// Returns the maximum time that a call waits for its permit. The rest is for STS: a call that starts later would
    /// probably time out, and take the permit of a call that has time left.
    fn queue_time(&self) -> Duration {
        self.timeout * 3 / 5
    }

    async fn try_endpoints(
        &self,
        caller: Caller,
        request: &StsRequest,
        deadline: Instant,
    ) -> StsResponse {
        let mut response = None;
        let mut unreachable = Vec::new();
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            let time = self.time_budget(index, request, deadline);
            if time.is_zero() {
                response.get_or_insert(StsResponse::TimedOut);
                break;
            }
            if let Err(pause) = endpoint.admit() {
                tracing::debug!(
                    endpoint = endpoint.name(),
                    "skipped: the circuit breaker is open"
                );
                unreachable.push(self.with_endpoint_name(endpoint, &describe_open_circuit(pause)));
                continue;
            }
            if index > 0 {
                endpoint.calls.fallbacks.inc();
            }
            let result = endpoint
                .call(caller, request, time, self.half_budget())
                .await;
            if let StsResponse::Unreachable(text) = &result.response {
                unreachable.push(self.with_endpoint_name(endpoint, text));
            }
            response = Some(result.response);
            if !result.may_continue {
                break;
            }
        }
        match response {
            Some(response @ (StsResponse::Response { .. } | StsResponse::TooLarge { .. })) => {
                response
            }
            Some(StsResponse::TimedOut) => StsResponse::TimedOut,
            Some(StsResponse::Unreachable(_)) | None => {
                StsResponse::Unreachable(unreachable.join("; "))
            }
        }
    }

    /// Returns the time for the endpoint at `index`: an equal share of the time left for each remaining endpoint.
    fn time_budget(&self, index: usize, request: &StsRequest, deadline: Instant) -> Duration {
        let left = deadline.saturating_duration_since(Instant::now());
        let others = if request.may_be_resent() {
            self.endpoints.len() - index
        } else {
            1
        };
        left / u32::try_from(others).unwrap_or(u32::MAX)
    }

    /// Returns half of the time that an endpoint has if the call does not wait for its permit.
    fn half_budget(&self) -> Duration {
        self.timeout / u32::try_from(2 * self.endpoints.len()).unwrap_or(u32::MAX)
    }

    /// Prefixes `text` with the name of `endpoint` if there are several endpoints.
    fn with_endpoint_name(&self, endpoint: &Endpoint, text: &str) -> String {
        match self.endpoints.len() {
            1 => text.to_owned(),
            _ => format!("{}: {text}", endpoint.name()),
        }
    }
}

fn describe_open_circuit(pause: Duration) -> String {
    match pause {
        Duration::ZERO => {
            "circuit breaker open after repeated failures; a probe is due or in flight".to_owned()
        }
        pause => format!(
            "circuit breaker open after repeated failures; the next probe is in {} ms",
            pause.as_millis()
        ),
    }
}
