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
use crate::metrics::StsCalls;
use crate::sts::breaker::{AfterFailure, Blame, Breaker};
use crate::sts::connect_error::{describe, is_timeout, text_with_causes};
use crate::sts::connector::Connector;
use crate::sts::{Answer, Caller};

/// Less than the minute after which servers commonly close an idle connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// An endpoint, its connections kept alive.
pub(super) struct Endpoint {
    pub(super) calls: StsCalls,
    name: Box<str>,
    /// What is said when time runs out before there is a connection through a proxy.
    late_proxy: Option<String>,
    breaker: Arc<Breaker>,
    http: Arc<HttpEndpoint>,
    /// How long a probe may take.
    probe_timeout: Duration,
    /// The task that probes the endpoint, the last one.
    prober: Mutex<Option<AbortHandle>>,
}

/// What came of asking one endpoint.
pub(super) struct Outcome {
    pub(super) answer: Answer,
    /// Whether the request may have reached the endpoint.
    pub(super) was_sent: bool,
    /// Whether the time of the call ran out.
    pub(super) ran_out: bool,
    pub(super) verdict: Verdict,
}

/// What an outcome says of the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It answers, whatever it says.
    Works,
    /// There was no connection, or no TLS.
    NotConnected,
    /// It did not answer this request in time, broke off, or answered with a status that speaks of STS itself.
    Fails,
    /// It was not asked.
    Untold,
}

impl Verdict {
    /// Returns whether another endpoint may do better.
    pub(super) fn is_failure(self) -> bool {
        matches!(self, Self::NotConnected | Self::Fails)
    }
}

impl Endpoint {
    pub(super) fn new(
        endpoint: &StsEndpoint,
        settings: &Sts,
        connector: Connector,
        calls: StsCalls,
    ) -> Self {
        let late_proxy = connector.late_proxy();
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
            late_proxy,
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

    /// Notes what the call of `caller` says of the endpoint.
    pub(super) fn note(&self, verdict: Verdict, caller: Caller) {
        let blame = match verdict {
            Verdict::Works => return self.breaker.note_success(),
            Verdict::NotConnected => Blame::Endpoint,
            Verdict::Fails => Blame::Caller(caller),
            Verdict::Untold => return,
        };
        match self.breaker.note_failure(blame) {
            AfterFailure::GoOn => {}
            AfterFailure::Probe { at } => self.probe(at),
        }
    }

    /// Probes the endpoint at the time `at`, and again after each pause until it is back.
    fn probe(&self, at: Instant) {
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
    pub(super) async fn ask(&self, request: &StsRequest, time: Duration) -> Outcome {
        tracing::debug!(endpoint = self.name(), "asks");
        let counted = self.calls.begin();
        let attempts = Attempts::default();
        let outcome = match tokio::time::timeout(time, self.send(request, &attempts)).await {
            Ok(Ok(answer)) => Outcome {
                verdict: match answer {
                    Answer::Response {
                        status: 500..=599, ..
                    } => Verdict::Fails,
                    Answer::Response { .. }
                    | Answer::TooLarge { .. }
                    | Answer::Unreachable(_)
                    | Answer::TimedOut => Verdict::Works,
                },
                answer,
                was_sent: true,
                ran_out: false,
            },
            Ok(Err(failure)) => Outcome {
                answer: Answer::Unreachable(failure.to_string()),
                was_sent: attempts.had_connection(),
                ran_out: false,
                verdict: match failure {
                    Failure::Request(_) => Verdict::Untold,
                    Failure::NotConnected(_) | Failure::ConnectTimedOut(_) => Verdict::NotConnected,
                    Failure::BrokenOff(_) => Verdict::Fails,
                },
            },
            Err(_) => {
                let was_sent = attempts.had_connection();
                Outcome {
                    answer: match &self.late_proxy {
                        Some(text) if !was_sent => Answer::Unreachable(text.clone()),
                        _ => Answer::TimedOut,
                    },
                    was_sent,
                    ran_out: true,
                    verdict: if was_sent {
                        Verdict::Fails
                    } else {
                        Verdict::NotConnected
                    },
                }
            }
        };
        tracing::debug!(endpoint = self.name(), answer = %outcome.answer, "has asked");
        counted.end(&outcome.answer);
        outcome
    }

    /// A connection that fails gives one more try, where that is harmless: STS may have closed a kept one just then.
    async fn send(&self, request: &StsRequest, attempts: &Attempts) -> Result<Answer, Failure> {
        match self.http.send(request, attempts).await {
            Err(failure) if failure.may_be_retried(request) => {
                tracing::debug!(endpoint = self.name(), "asks again: {failure}");
                self.calls.retries.inc();
                self.http.send(request, attempts).await
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

/// The connections that a call was given, one for each time that it was sent.
#[derive(Default)]
struct Attempts(Mutex<Vec<CaptureConnection>>);

impl Attempts {
    fn capture(&self, request: &mut Request<Empty<Bytes>>) {
        let connection = capture_connection(request);
        self.connections().push(connection);
    }

    /// Returns whether there was a connection that the request may have been sent on.
    fn had_connection(&self) -> bool {
        let connections = self.connections();
        let mut connections = connections.iter();
        connections.any(|connection| connection.connection_metadata().is_some())
    }

    fn connections(&self) -> MutexGuard<'_, Vec<CaptureConnection>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpEndpoint {
    async fn send(&self, request: &StsRequest, attempts: &Attempts) -> Result<Answer, Failure> {
        let mut request = self.http_request(request).map_err(Failure::Request)?;
        attempts.capture(&mut request);
        let response = self.client.request(request).await.map_err(|error| {
            if !error.is_connect() {
                Failure::BrokenOff(text_with_causes(&error))
            } else if is_timeout(&error) {
                Failure::ConnectTimedOut(describe(&error))
            } else {
                Failure::NotConnected(describe(&error))
            }
        })?;
        let status = response.status().as_u16();
        match Limited::new(response.into_body(), self.max_answer_bytes)
            .collect()
            .await
        {
            Ok(body) => Ok(Answer::Response {
                status,
                body: body.to_bytes(),
            }),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                Ok(Answer::TooLarge { status })
            }
            Err(error) => Err(Failure::BrokenOff(text_with_causes(error.as_ref()))),
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
        let answer = tokio::time::timeout(time, probe).await;
        answer.ok().flatten().unwrap_or(false)
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

/// Why no answer was had.
enum Failure {
    /// The request cannot be written as HTTP.
    Request(hyper::http::Error),
    /// No connection was made.
    NotConnected(String),
    /// No connection was made within its time.
    ConnectTimedOut(String),
    /// A connection broke off before the answer was complete.
    BrokenOff(String),
}

impl Failure {
    /// Whether the same endpoint may do better at once, and takes no harm.
    fn may_be_retried(&self, request: &StsRequest) -> bool {
        match self {
            Self::Request(_) | Self::ConnectTimedOut(_) => false,
            Self::NotConnected(_) => true,
            Self::BrokenOff(_) => request.may_be_resent(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => error.fmt(f),
            Self::NotConnected(text) | Self::ConnectTimedOut(text) => {
                write!(f, "no connection: {text}")
            }
            Self::BrokenOff(text) => write!(f, "the connection broke off: {text}"),
        }
    }
}
