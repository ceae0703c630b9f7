//! One endpoint of STS: the connections to it, and what comes of a request.

use std::fmt;
use std::io;
use std::time::Duration;

use ack_ram_core::sts::StsRequest;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::config::{Sts, StsEndpoint};
use crate::metrics::StsCalls;
use crate::sts::Answer;
use crate::sts::breaker::Breaker;
use crate::sts::connector::Connector;

/// Less than the minute after which servers commonly close an idle connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);

/// An endpoint, its connections kept alive.
pub(super) struct Endpoint {
    pub(super) breaker: Breaker,
    pub(super) calls: StsCalls,
    name: Box<str>,
    client: Client<Connector, Empty<Bytes>>,
    base: Uri,
    max_answer_bytes: usize,
    user_agent: HeaderValue,
}

/// What came of asking one endpoint.
pub(super) struct Outcome {
    pub(super) answer: Answer,
    /// Whether the request may have reached the endpoint.
    pub(super) was_sent: bool,
    pub(super) verdict: Verdict,
}

/// What an outcome says of the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It answers, whatever it says.
    Works,
    /// No connection, no TLS, no answer in time, or a status that speaks of STS itself.
    Fails,
    /// It was not asked.
    Untold,
}

impl Endpoint {
    pub(super) fn new(
        endpoint: &StsEndpoint,
        settings: &Sts,
        connector: Connector,
        calls: StsCalls,
    ) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(settings.max_idle_connections)
            .build(connector);
        let name = endpoint.authority();
        Self {
            breaker: Breaker::new(name, settings.limits.breaker, calls.breaker.clone()),
            calls,
            name: name.into(),
            client,
            base: endpoint.uri().clone(),
            max_answer_bytes: settings.limits.max_answer_bytes,
            user_agent: HeaderValue::from_static(concat!(
                "ack-ram-authenticator/v2/",
                env!("CARGO_PKG_VERSION")
            )),
        }
    }

    /// Host, and port where one is given.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Sends `request` and waits for the whole answer, for no longer than `time`. Redirects are not followed.
    pub(super) async fn ask(&self, request: &StsRequest, time: Duration) -> Outcome {
        tracing::debug!(endpoint = self.name(), "asks");
        let counted = self.calls.begin();
        let outcome = match tokio::time::timeout(time, self.send(request)).await {
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
            },
            Ok(Err(failure)) => Outcome {
                answer: Answer::Unreachable(failure.to_string()),
                was_sent: matches!(failure, Failure::BrokenOff(_)),
                verdict: match failure {
                    Failure::Request(_) => Verdict::Untold,
                    Failure::NotConnected(_)
                    | Failure::ConnectTimedOut(_)
                    | Failure::BrokenOff(_) => Verdict::Fails,
                },
            },
            Err(_) => Outcome {
                answer: Answer::TimedOut,
                was_sent: true,
                verdict: Verdict::Fails,
            },
        };
        tracing::debug!(endpoint = self.name(), answer = %outcome.answer, "has asked");
        counted.end(&outcome.answer);
        outcome
    }

    /// A connection that fails gives one more try, where that is harmless: STS may have closed a kept one just then.
    async fn send(&self, request: &StsRequest) -> Result<Answer, Failure> {
        match self.send_once(request).await {
            Err(failure) if failure.may_be_retried(request) => {
                tracing::debug!(endpoint = self.name(), "asks again: {failure}");
                self.calls.retries.inc();
                self.send_once(request).await
            }
            other => other,
        }
    }

    async fn send_once(&self, request: &StsRequest) -> Result<Answer, Failure> {
        let request = self.http_request(request).map_err(Failure::Request)?;
        let response = self.client.request(request).await.map_err(|error| {
            let text = text_with_causes(&error);
            if !error.is_connect() {
                Failure::BrokenOff(text)
            } else if is_timeout(&error) {
                Failure::ConnectTimedOut(text)
            } else {
                Failure::NotConnected(text)
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

fn is_timeout(error: &(dyn std::error::Error + 'static)) -> bool {
    causes(error).any(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        io.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
    })
}

/// hyper's own text seldom says what happened; the error under it does.
fn text_with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut texts: Vec<String> = causes(error).map(ToString::to_string).collect();
    texts.dedup();
    texts.join(": ")
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}
