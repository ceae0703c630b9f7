//! One endpoint of STS: the connections to it, and what comes of a request.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ack_ram_core::sts::StsRequest;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::config::{Sts, StsEndpoint};
use crate::metrics::EndpointMetrics;
use crate::sts::breaker::{AfterFailure, Breaker, FailureScope};
use crate::sts::connect_error::{describe, is_timeout, text_with_causes};
use crate::sts::connector::Connector;
use crate::sts::{Caller, StsResponse};

/// Less than the minute after which servers commonly close an idle connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// An endpoint, its connections kept alive.
pub(super) struct Endpoint {
    pub(super) calls: EndpointMetrics,
    name: Box<str>,
    /// The error text for a timeout before there is a connection through a proxy.
    proxy_timeout_text: Option<String>,
    breaker: Arc<Breaker>,
    http: Arc<HttpEndpoint>,
    /// How long a probe may take.
    probe_timeout: Duration,
    /// The task that probes the endpoint, the last one.
    prober: Mutex<Option<AbortHandle>>,
}

/// The result of one call to one endpoint.
pub(super) struct Attempt {
    pub(super) response: StsResponse,
    /// Whether the request may have reached the endpoint.
    pub(super) was_sent: bool,
    /// Whether the call timed out.
    pub(super) timed_out: bool,
    pub(super) health: EndpointHealth,
}

/// The health of an endpoint, as one call shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndpointHealth {
    /// The endpoint answered, with whatever result.
    Healthy,
    /// There was no connection, or no TLS.
    ConnectFailed,
    /// The endpoint did not answer in time, closed the connection, or answered with a server error.
    RequestFailed,
    /// The endpoint was not called.
    NotAttempted,
}

impl EndpointHealth {
    /// Returns whether another endpoint may do better.
    pub(super) fn is_failure(self) -> bool {
        matches!(self, Self::ConnectFailed | Self::RequestFailed)
    }
}

impl Endpoint {
    pub(super) fn new(
        endpoint: &StsEndpoint,
        settings: &Sts,
        connector: Connector,
        calls: EndpointMetrics,
    ) -> Self {
        let proxy_timeout_text = connector.proxy_timeout_text();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(settings.max_idle_connections)
            .build(connector);
        let name = endpoint.authority();
        let breaker = Breaker::new(name, settings.limits.breaker, calls.breaker.clone());
        Self {
            calls,
            name: name.into(),
            proxy_timeout_text,
            breaker: Arc::new(breaker),
            http: Arc::new(HttpEndpoint {
                client,
                base: endpoint.uri().clone(),
                max_answer_bytes: settings.limits.max_answer_bytes,
                user_agent: HeaderValue::from_static(concat!(
                    "ack-ram-authenticator/v2/",
                    env!("CARGO_PKG_VERSION")
                )),
            }),
            probe_timeout: settings.limits.timeout,
            prober: Mutex::default(),
        }
    }

    /// Host, and port where one is given.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns whether a call may go to the endpoint now; if not, after how long the next probe is.
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
        let mut prober = self.prober.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = prober.replace(task.abort_handle()) {
            last.abort();
        }
    }

    /// Sends `request` and waits for the whole answer, for no longer than `time`. Redirects are not followed.
    pub(super) async fn call(&self, request: &StsRequest, time: Duration) -> Attempt {
        tracing::debug!(endpoint = self.name(), "asks");
        let counted = self.calls.begin();
        let connections = CapturedConnections::default();
        let attempt = match tokio::time::timeout(time, self.send(request, &connections)).await {
            Ok(Ok(response)) => Attempt {
                health: match response {
                    StsResponse::Response {
                        status: 500..=599, ..
                    } => EndpointHealth::RequestFailed,
                    StsResponse::Response { .. }
                    | StsResponse::TooLarge { .. }
                    | StsResponse::Unreachable(_)
                    | StsResponse::TimedOut => EndpointHealth::Healthy,
                },
                response,
                was_sent: true,
                timed_out: false,
            },
            Ok(Err(error)) => Attempt {
                response: StsResponse::Unreachable(error.to_string()),
                was_sent: connections.was_established(),
                timed_out: false,
                health: match error {
                    SendError::Request(_) => EndpointHealth::NotAttempted,
                    SendError::ConnectFailed(_) | SendError::ConnectTimedOut(_) => {
                        EndpointHealth::ConnectFailed
                    }
                    SendError::BrokenOff(_) => EndpointHealth::RequestFailed,
                },
            },
            Err(_) => {
                let was_sent = connections.was_established();
                Attempt {
                    response: match &self.proxy_timeout_text {
                        Some(text) if !was_sent => StsResponse::Unreachable(text.clone()),
                        _ => StsResponse::TimedOut,
                    },
                    was_sent,
                    timed_out: true,
                    health: if was_sent {
                        EndpointHealth::RequestFailed
                    } else {
                        EndpointHealth::ConnectFailed
                    },
                }
            }
        };
        tracing::debug!(endpoint = self.name(), answer = %attempt.response, "has asked");
        counted.end(&attempt.response);
        attempt
    }

    /// A connection that fails gives one more try, where that is harmless: STS may have closed a kept one just then.
    async fn send(
        &self,
        request: &StsRequest,
        connections: &CapturedConnections,
    ) -> Result<StsResponse, SendError> {
        match self.http.send(request, connections).await {
            Err(error) if error.is_retryable(request) => {
                tracing::debug!(endpoint = self.name(), "asks again: {error}");
                self.calls.retries.inc();
                self.http.send(request, connections).await
            }
            other => other,
        }
    }
}

/// No probe outlives the client.
impl Drop for Endpoint {
    fn drop(&mut self) {
        let prober = self
            .prober
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(prober) = prober {
            prober.abort();
        }
    }
}

/// What calls and probes of an endpoint share.
struct HttpEndpoint {
    client: Client<Connector, Empty<Bytes>>,
    base: Uri,
    max_answer_bytes: usize,
    user_agent: HeaderValue,
}

/// The connections that a call used, one for each time that it was sent.
#[derive(Default)]
struct CapturedConnections(Mutex<Vec<CaptureConnection>>);

impl CapturedConnections {
    fn capture(&self, request: &mut Request<Empty<Bytes>>) {
        let connection = capture_connection(request);
        self.connections().push(connection);
    }

    /// Returns whether there was a connection that the request may have been sent on.
    fn was_established(&self) -> bool {
        let connections = self.connections();
        let mut connections = connections.iter();
        connections.any(|connection| connection.connection_metadata().is_some())
    }

    fn connections(&self) -> MutexGuard<'_, Vec<CaptureConnection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpEndpoint {
    async fn send(
        &self,
        request: &StsRequest,
        connections: &CapturedConnections,
    ) -> Result<StsResponse, SendError> {
        let mut request = self.http_request(request).map_err(SendError::Request)?;
        connections.capture(&mut request);
        let response = self.client.request(request).await.map_err(|error| {
            if !error.is_connect() {
                SendError::BrokenOff(text_with_causes(&error))
            } else if is_timeout(&error) {
                SendError::ConnectTimedOut(describe(&error))
            } else {
                SendError::ConnectFailed(describe(&error))
            }
        })?;
        let status = response.status().as_u16();
        match Limited::new(response.into_body(), self.max_answer_bytes)
            .collect()
            .await
        {
            Ok(body) => Ok(StsResponse::Response {
                status,
                body: body.to_bytes(),
            }),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                Ok(StsResponse::TooLarge { status })
            }
            Err(error) => Err(SendError::BrokenOff(text_with_causes(error.as_ref()))),
        }
    }

    /// Probes the endpoint: sends a request that holds nothing of any token, and that nobody signed. STS refuses it. Any
    /// answer within `time` that is no failure of a server is a sign of life.
    async fn is_alive(&self, time: Duration) -> bool {
        let send = || async {
            let request = Request::get(self.base.clone())
                .header(header::USER_AGENT, &self.user_agent)
                .body(Empty::new())
                .ok()?;
            Some(self.client.request(request).await)
        };
        let probe = async {
            let response = match send().await? {
                Ok(response) => response,
                // STS may have closed a kept connection just then.
                Err(error) if !error.is_connect() => send().await?.ok()?,
                Err(_) => return None,
            };
            let is_alive = !response.status().is_server_error();
            // A connection can be used again once its answer has been read.
            let body = Limited::new(response.into_body(), self.max_answer_bytes);
            drop(body.collect().await);
            Some(is_alive)
        };
        let is_alive = tokio::time::timeout(time, probe).await;
        is_alive.ok().flatten().unwrap_or(false)
    }

    fn http_request(
        &self,
        request: &StsRequest,
    ) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
        let mut parts = self.base.clone().into_parts();
        parts.path_and_query = Some(request.path_and_query().expose().parse()?);
        let mut http = Request::builder()
            .method(Method::from_bytes(request.method().as_bytes())?)
            .uri(Uri::from_parts(parts)?)
            .header(header::USER_AGENT, &self.user_agent)
            .header(header::CONTENT_LENGTH, 0);
        for (name, value) in request.headers() {
            let mut value = HeaderValue::from_str(value.expose())?;
            value.set_sensitive(true);
            http = http.header(HeaderName::from_static(name), value);
        }
        http.body(Empty::new())
    }
}

/// Why a request got no response.
enum SendError {
    /// The request cannot be written as HTTP.
    Request(hyper::http::Error),
    /// No connection was made.
    ConnectFailed(String),
    /// No connection was made within its time.
    ConnectTimedOut(String),
    /// A connection broke off before the answer was complete.
    BrokenOff(String),
}

impl SendError {
    /// Returns whether one more try at the same endpoint is useful and harmless.
    fn is_retryable(&self, request: &StsRequest) -> bool {
        match self {
            Self::Request(_) | Self::ConnectTimedOut(_) => false,
            Self::ConnectFailed(_) => true,
            Self::BrokenOff(_) => request.may_be_resent(),
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => error.fmt(f),
            Self::ConnectFailed(text) | Self::ConnectTimedOut(text) => {
                write!(f, "no connection: {text}")
            }
            Self::BrokenOff(text) => write!(f, "the connection broke off: {text}"),
        }
    }
}
